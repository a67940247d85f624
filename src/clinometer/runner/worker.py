"""Worker processes: each makes the runs of one task, so that one that is killed costs those runs alone.

They are forked from a server that has imported torch and computed nothing, so a worker starts in milliseconds.
"""

import contextlib
import dataclasses
import multiprocessing as mp
import os
import signal
import socket
import sys
import threading
import time
import traceback
import types
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from clinometer.runner.locks import RunLocks
from clinometer.runner.records import note_start
from clinometer.training.run import SECONDS, Group, run_group
from clinometer.training.run_folder import is_done, run_folder

_START_ATTEMPTS = 5


@dataclass(frozen=True, eq=False)
class Task:
    """The runs that one worker makes."""

    group: Group
    study: Path  # the study's folder
    facts: Mapping[str, Any]  # the content of each run's environment.json, by the run's key
    checkpoint_every: float = SECONDS  # seconds from one checkpoint to the next


@dataclass(frozen=True, eq=False)
class Worker:
    """A process that makes a task's runs."""

    task: Task
    process: BaseProcess
    traceback: Connection  # receives the traceback of a task that fails

    def error(self) -> str | None:
        """Why the process ended without a result: its traceback, or the signal; None if it ended well."""
        code = self.process.exitcode
        if code == 0:
            return None
        with contextlib.suppress(EOFError):
            if self.traceback.poll():
                return self.traceback.recv_bytes().decode()
        return f"killed: {signal.Signals(-code).name}" if code and code < 0 else f"killed: exit code {code}"

    def stop(self) -> None:
        """End the process now. Its runs are resumed from their last checkpoints next time."""
        self.process.terminate()
        self.process.join()
        self.traceback.close()


def start_worker(task: Task, device: str = "cpu") -> Worker:
    """Start a process that makes those of a task's runs that are neither done nor locked by another process."""
    for _ in range(_START_ATTEMPTS):
        try:
            return _start(task, device)
        except (
            EOFError,
            ConnectionError,
        ):  # the server was killed at this moment; the next attempt starts one
            time.sleep(0.2)
    return _start(task, device)


def _start(task: Task, device: str) -> Worker:
    method = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"
    context: Any = mp.get_context(method)
    if method == "forkserver":
        # torch.optim imports torch._dynamo when the first optimizer is made: 1.1 CPU s, more than a tiny run takes.
        context.set_forkserver_preload(["clinometer.training.run", "torch._dynamo"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_make_runs, args=(task, device, dict(os.environ), sender), daemon=True)
    with sender, _main_hidden():
        process.start()
    return Worker(task, process, receiver)


@contextlib.contextmanager
def _main_hidden() -> Generator[None]:
    """Hide the program from multiprocessing, which would import it again in every worker.

    A worker needs nothing of it; a script then needs no `if __name__ == "__main__"`, and the command line no second
    import.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _make_runs(task: Task, device: str, environ: dict[str, str], sender: Connection) -> None:
    """What the worker process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers itself
    os.environ.clear()  # the server has the variables of the time when it was started
    os.environ.update(environ)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        locks = RunLocks(task.study)  # held until this process ends
        folders = {config: run_folder(task.study, config) for config in task.group if locks.acquire(config.key)}
        folders = {config: folder for config, folder in folders.items() if not is_done(folder)}
        for config in folders:
            note_start(task.study, config.key, dataclasses.asdict(config), f"{socket.gethostname()}:{os.getpid()}")
        run_group(folders, device, task.checkpoint_every, task.facts)
    except Exception:
        sender.send_bytes(traceback.format_exc().encode())
        sys.exit(1)


def _exit_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody would see an orphan's end
