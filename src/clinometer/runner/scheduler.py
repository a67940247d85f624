"""Makes many runs at a time: which is started next, where, and what becomes of those that fail."""

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinometer.runner.child import last_line
from clinometer.runner.local import LocalPool, Pool, worker_devices
from clinometer.runner.locks import RunLocks, is_locked
from clinometer.runner.process_kept import process_kept
from clinometer.runner.records import note_done, note_failure, prepare_records
from clinometer.runner.staleness import Facts, Stale, runs_to_keep
from clinometer.runner.worker import Task
from clinometer.training.config import RunConfig
from clinometer.training.environment import environment
from clinometer.training.files import write_whole
from clinometer.training.fingerprint import Fingerprints
from clinometer.training.run import SECONDS, Group, groups
from clinometer.training.run_folder import is_done, run_folder

_POLL_SECONDS = 0.5  # between looks at runs that other processes make


@dataclass(frozen=True)
class Progress:
    """How far a study is."""

    total: int
    done: int  # of them, those found done at the start included
    found: int  # done before the study began
    failed: int
    running: tuple[RunConfig, ...]  # those that other processes make included
    seconds: float  # since the study began


@dataclass(frozen=True)
class Failure:
    """A run that ended without a result."""

    config: RunConfig
    reason: str  # the last line of its traceback, or the signal that killed it
    log: Path  # the file with the whole traceback


def run_all(
    configs: Sequence[RunConfig],
    study: Path,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    pool: Pool | None = None,
    retries: int = 1,
    checkpoint_every: float = SECONDS,
    stale: Stale = "refuse",
    admit: Callable[[Group], bool] = lambda _group: True,
    report: Callable[[Progress], None] = lambda _progress: None,
    notify: Callable[[str], None] = lambda _sentence: None,
) -> list[Failure]:
    """Make every run that is not done yet.

    Any number of processes may call this on one study at a time: each run is made by one of them, and all of them
    return when the last run has ended.

    Args:
        configs: The runs; equal ones are made once.
        study: The study's folder.
        jobs: Runs at a time; one per core, or GPU, by default.
        device: Where they train: cpu, cuda, or a list such as cuda:0,cuda:1.
        pool: Where to make them instead of on this machine.
        retries: How often a run that failed is resumed from its last checkpoint.
        checkpoint_every: Seconds from one checkpoint to the next.
        stale: What to do about runs that other code, data or versions made: refuse, keep them, or remake them.
        admit: Asked before runs are started, which one process makes; those refused are left as they are.
        report: Called with the progress whenever a run starts or ends.
        notify: Called with a sentence on each file that is found damaged.

    Returns:
        The runs that failed; the others are done, or were not admitted.

    Raises:
        StaleRunsError: if there are such runs and `stale` is "refuse"; before any work is spent.
        ValueError: if a device cannot be used or a number is out of range.
    """
    unique = list(dict.fromkeys(configs))
    with contextlib.ExitStack() as closing:
        pool = pool or LocalPool(worker_devices(device, jobs))
        closing.callback(pool.close)  # if interrupted: unfinished runs are resumed next time
        locks = closing.enter_context(contextlib.closing(RunLocks(study)))
        machine = environment(device.partition(",")[0])
        fingerprints = Fingerprints(device)

        def facts(config: RunConfig) -> dict[str, Any]:
            with process_kept():  # the config's code is imported and its data are loaded
                return {**machine, "fingerprint": fingerprints.of(config)}

        kept = runs_to_keep(unique, study, locks, facts, stale, notify)
        for config in unique:
            if config not in kept:
                facts(config)  # now: what is edited while the study runs is not what was planned
        by_key = {config.key: dataclasses.asdict(config) for config in unique}
        prepare_records(study, by_key, [config.key for config in kept], locks, notify)
        scheduler = Scheduler(study, pool, locks, facts, retries, checkpoint_every, admit, len(unique), len(kept))
        return scheduler.run([config for config in unique if config not in kept], report)


@dataclass
class Scheduler:
    """The runs of one `run_all` call that are not done: each waits, is made here or by another process, and ends."""

    study: Path
    pool: Pool
    locks: RunLocks
    facts: Facts
    retries: int
    checkpoint_every: float
    admit: Callable[[Group], bool]
    total: int
    found: int
    waiting: deque[Group] = field(default_factory=deque[Group])
    running: set[Group] = field(default_factory=set[Group])
    elsewhere: list[RunConfig] = field(default_factory=list[RunConfig])  # locked by another process
    failures: list[Failure] = field(default_factory=list[Failure])
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def run(self, configs: list[RunConfig], report: Callable[[Progress], None]) -> list[Failure]:
        """Make these runs; return those that failed."""
        self.waiting.extend(groups(configs))
        while self._unfinished():
            self._start_waiting()
            report(self._progress())
            if self._unfinished():
                for task, error in self.pool.wait(_POLL_SECONDS if self.elsewhere else None):
                    self.running.remove(task.group)
                    self._handle_ended(task.group, error)
                self._check_elsewhere()
        report(self._progress())
        return self.failures

    def _unfinished(self) -> bool:
        return bool(self.waiting or self.running or self.elsewhere)

    def _start_waiting(self) -> None:
        """Start groups for as long as the pool has room."""
        while self.waiting and self.pool.has_room():
            group = self._still_to_make(self.waiting.popleft())
            if not group or not self.admit(group):
                continue
            facts = {config.key: self.facts(config) for config in group}
            if self.pool.start(Task(group, self.study, facts, self.checkpoint_every)):
                self.running.add(group)
            else:
                self.waiting.append(group)  # locked or done since it was looked at

    def _handle_ended(self, group: Group, error: str | None) -> None:
        """Decide what becomes of a group whose task has ended: done, made elsewhere, failed, or waiting again."""
        rest = self._still_to_make(group)
        if rest and error is None:
            self.waiting.append(rest)  # another process had them locked when the task started, and has ended since
        elif rest:
            self._fail(rest, error or "")

    def _still_to_make(self, group: Group) -> Group:
        """Those runs of a group that are neither done nor locked by another process."""
        done = [config for config in group if is_done(run_folder(self.study, config))]
        for config in done:
            with self.locks.attempt(config.key) as acquired:
                if acquired:
                    note_done(self.study, config.key, dataclasses.asdict(config))
        locked = [config for config in group if config not in done and is_locked(self.study, config.key)]
        self.done += len(done)
        self.elsewhere += locked
        return tuple(config for config in group if config not in done and config not in locked)

    def _fail(self, group: Group, error: str) -> None:
        """Record a failure of these runs, which wait again while they have retries left."""
        again: list[RunConfig] = []
        for config in group:
            with self.locks.attempt(config.key) as acquired:
                if not acquired:
                    self.elsewhere.append(config)
                    continue
                record = note_failure(self.study, config.key, dataclasses.asdict(config), error, self.retries)
            if record.state == "waiting":
                again.append(config)
            else:
                log = run_folder(self.study, config).with_suffix(".error.txt")
                write_whole(log, error)
                self.failures.append(Failure(config, last_line(error), log))
        if again:
            self.waiting.append(tuple(again))

    def _check_elsewhere(self) -> None:
        """Take back the runs that another process has unlocked: they are done, or are to be made here."""
        unlocked = [config for config in self.elsewhere if not is_locked(self.study, config.key)]
        for config in unlocked:
            self.elsewhere.remove(config)
            self._handle_ended((config,), None)

    def _progress(self) -> Progress:
        here = [config for group in self.running for config in group]
        seconds = time.monotonic() - self.started
        done = self.found + self.done
        return Progress(self.total, done, self.found, len(self.failures), (*here, *self.elsewhere), seconds)
