"""Many runs at a time: which is next, where it is made, and what becomes of those that fail."""

import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinometer.runner.ledger import Ledger
from clinometer.runner.local import Cores, Pool, slots
from clinometer.runner.locks import RunLocks
from clinometer.runner.staleness import Facts, Stale, survey
from clinometer.runner.worker import Task
from clinometer.training.config import RunConfig
from clinometer.training.environment import environment
from clinometer.training.files import write_whole
from clinometer.training.fingerprint import fingerprint
from clinometer.training.run import SECONDS, Group, groups
from clinometer.training.run_folder import is_done, run_folder

_LOOK = 0.5  # seconds between looks at runs that another process makes


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
    log: Path  # the whole of it


def run_all(
    configs: Sequence[RunConfig],
    study: Path,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    pool: Pool | None = None,
    retries: int = 1,
    every: float = SECONDS,
    stale: Stale = "refuse",
    report: Callable[[Progress], None] = lambda _progress: None,
    say: Callable[[str], None] = lambda _remark: None,
) -> list[Failure]:
    """Make every run that is not done yet, and tell `report` whenever one begins or ends.

    Any number of processes may call this on one study: each run is made by one of them, and all wait for the last.

    Args:
        configs: The runs; equal ones are made once.
        study: The study's folder.
        jobs: Runs at a time; one per core, or GPU, by default.
        device: Where they train: cpu, cuda, or a list such as cuda:0,cuda:1.
        pool: Another place to make them than this machine.
        retries: How often a run that failed is taken up again, from its last checkpoint.
        every: Seconds from one checkpoint to the next.
        stale: What to do about runs that other code, data or versions made: refuse, keep them, or remake them.
        report: Called with the progress.
        say: Called with a sentence on each thing that was found damaged.

    Returns:
        The runs that failed; the others are done.

    Raises:
        StaleRunsError: if there are such runs and `stale` is "refuse"; before any work is spent.
        ValueError: if a device cannot be used or a number is out of range.
    """
    unique = list(dict.fromkeys(configs))
    with contextlib.ExitStack() as closing:
        pool = pool or Cores(slots(device, jobs))
        closing.callback(pool.close)  # interrupted: what is in flight is gone on with next time
        study.mkdir(parents=True, exist_ok=True)
        leases, ledger = RunLocks(study), Ledger(study, say)
        closing.callback(leases.close)
        closing.callback(ledger.close)
        where = environment(device.partition(",")[0])
        facts: Facts = lambda config: {**where, "fingerprint": fingerprint(config, device)}  # noqa: E731
        found = survey(unique, study, leases, facts, stale, say)
        ledger.enter({config.key: dataclasses.asdict(config) for config in unique}, [config.key for config in found])
        work = _Work(study, pool, leases, ledger, facts, retries, every, len(unique), len(found))
        return work.make([config for config in unique if config not in found], report)


@dataclass
class _Work:
    """The runs of one call that are not done: they wait, are in work here or elsewhere, and end."""

    study: Path
    pool: Pool
    leases: RunLocks
    ledger: Ledger
    facts: Facts
    retries: int
    every: float
    total: int
    found: int
    waiting: deque[Group] = field(default_factory=deque[Group])
    running: set[Group] = field(default_factory=set[Group])
    elsewhere: list[RunConfig] = field(default_factory=list[RunConfig])  # another process makes them
    failures: list[Failure] = field(default_factory=list[Failure])
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def make(self, missing: list[RunConfig], report: Callable[[Progress], None]) -> list[Failure]:
        self.waiting.extend(groups(missing))
        while self.waiting or self.running or self.elsewhere:
            self._begin()
            report(self._progress())
            if not (self.waiting or self.running or self.elsewhere):
                continue  # others have done the rest
            for task, error in self.pool.ended(_LOOK if self.elsewhere else None):
                self.running.remove(task.group)
                self._end(task.group, error)
            self._look_elsewhere()
        report(self._progress())
        return self.failures

    def _begin(self) -> None:
        while self.waiting and self.pool.room():
            group = self._left(self.waiting.popleft())
            if not group:
                continue
            task = Task(group, self.study, {config.key: self.facts(config) for config in group}, self.every)
            self.ledger.began([config.key for config in group], self.pool.begin(task))
            self.running.add(group)

    def _end(self, group: Group, error: str | None) -> None:
        rest = self._left(group)
        if rest and error is None:
            self.waiting.append(rest)  # another process had them when this one looked, and has given up
        elif rest:
            self._fail(rest, error or "")

    def _left(self, group: Group) -> Group:
        """Those of a group that are to be made here: not those that are done, or that another process makes."""
        done = [config for config in group if is_done(run_folder(self.study, config))]
        self.done += len(done)
        if done:
            self.ledger.ended([config.key for config in done], "done")
        others = [config for config in group if config not in done and not self.leases.free(config.key)]
        self.elsewhere += others
        return tuple(config for config in group if config not in done and config not in others)

    def _fail(self, group: Group, error: str) -> None:
        keys = [config.key for config in group]
        if self.ledger.failed(keys, error) <= self.retries:
            self.ledger.ended(keys, "waiting")
            self.waiting.append(group)
            return
        for config in group:
            log = run_folder(self.study, config).with_suffix(".error.txt")
            write_whole(log, error)
            self.failures.append(Failure(config, error.strip().splitlines()[-1], log))

    def _look_elsewhere(self) -> None:
        """Take back what another process has left: it is done, or is to be made here."""
        left = [config for config in self.elsewhere if self.leases.free(config.key)]
        for config in left:
            self.elsewhere.remove(config)
            self._end((config,), None)

    def _progress(self) -> Progress:
        here = [config for group in self.running for config in group]
        seconds = time.monotonic() - self.began
        done = self.found + self.done
        return Progress(self.total, done, self.found, len(self.failures), (*here, *self.elsewhere), seconds)
