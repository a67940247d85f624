"""Many runs on one machine: a process each, as many at a time as there are cores.

A process of its own, so that a run that is killed costs only itself and those that train with it. They are forked
from a server that has imported torch but computed nothing, so a run starts in milliseconds.
"""

import contextlib
import multiprocessing as mp
import os
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from clinometer.study.config import Config
from clinometer.study.run import groups, is_done, run_folder, run_group

Group = tuple[Config, ...]  # runs that one process makes


@dataclass(frozen=True)
class Progress:
    """How far a study is."""

    total: int
    done: int  # of them, those found done at the start included
    found: int  # done before the study began
    failed: int
    running: tuple[Config, ...]
    seconds: float  # since the study began


@dataclass(frozen=True)
class Failure:
    """A run that ended without a result."""

    config: Config
    reason: str  # the last line of its traceback, or the signal that killed it
    log: Path  # the whole of it


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    configs: Sequence[Config],
    study: Path,
    *,
    jobs: int | None = None,
    device: str = "cpu",
    report: Callable[[Progress], None] = lambda _progress: None,
) -> list[Failure]:
    """Make every run that is not done yet, in `jobs` processes at a time, and tell `report` after each.

    Args:
        configs: The runs; equal ones are made once.
        study: The study's folder.
        jobs: Processes at a time; one per core by default.
        device: Where they train.
        report: Called with the progress whenever a run starts or ends.

    Returns:
        The runs that failed; the others are done.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1; found {jobs}.")
    began = time.monotonic()
    unique = list(dict.fromkeys(configs))
    missing = [config for config in unique if not is_done(run_folder(study, config))]
    found = done = len(unique) - len(missing)
    waiting = groups(missing)
    running: dict[BaseProcess, Group] = {}
    failures: list[Failure] = []
    try:
        while waiting or running:
            while waiting and len(running) < (jobs or cores()):
                group = waiting.pop(0)
                running[_start(group, study, device)] = group
            active = tuple(config for group in running.values() for config in group)
            report(Progress(len(unique), done, found, len(failures), active, time.monotonic() - began))
            wait([process.sentinel for process in running])
            for process in [p for p in running if p.exitcode is not None]:
                group = running.pop(process)
                failed = _failures(process, group, study)
                failures += failed
                done += len(group) - len(failed)
        report(Progress(len(unique), done, found, len(failures), (), time.monotonic() - began))
    finally:
        for process in running:  # interrupted: what is in flight is done again next time
            process.terminate()
            process.join()
    return failures


def _start(group: Group, study: Path, device: str) -> BaseProcess:
    method = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"
    context: Any = mp.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["clinometer.study.run"])
    process = context.Process(target=_child, args=(group, study, device, dict(os.environ)), daemon=True)
    with _no_main():
        process.start()
    return process


@contextlib.contextmanager
def _no_main() -> Generator[None]:
    """Hide the program from multiprocessing, which would import it again in every run.

    A run needs nothing of it; a script then needs no `if __name__ == "__main__"`, and the command line no second start.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _child(group: Group, study: Path, device: str, environ: dict[str, str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its runs itself
    os.environ.clear()  # the server's are those of the time when it was started
    os.environ.update(environ)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    folders = {config: run_folder(study, config) for config in group}
    for folder in folders.values():
        _log(folder).unlink(missing_ok=True)
    try:
        run_group(folders, device)
    except Exception:
        for folder in folders.values():
            if not is_done(folder):
                _log(folder).write_text(traceback.format_exc())
        sys.exit(1)


def _log(folder: Path) -> Path:
    return folder.with_suffix(".error.txt")  # beside the folder, which a next attempt clears


def _die_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # an orphan would go on writing where the next study begins


def _failures(process: BaseProcess, group: Group, study: Path) -> list[Failure]:
    """What became of the runs of a process that has ended: those which it left unfinished, if it did not end well."""
    if process.exitcode == 0:
        return []
    unfinished = [config for config in group if not is_done(run_folder(study, config))]
    return [_failure(process, config, _log(run_folder(study, config))) for config in unfinished]


def _failure(process: BaseProcess, config: Config, log: Path) -> Failure:
    if process.exitcode == 1 and log.is_file():
        return Failure(config, log.read_text().strip().splitlines()[-1], log)
    return Failure(config, f"killed: exit code {process.exitcode}", log)
