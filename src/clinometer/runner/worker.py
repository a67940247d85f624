"""A process for each run, so that one that is killed costs only itself and those that train with it.

They are forked from a server that has imported torch but computed nothing, so a run starts in milliseconds.
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
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from clinometer.runner.locks import RunLocks
from clinometer.training.run import SECONDS, Group, run_group
from clinometer.training.run_folder import run_folder

_TRIES = 5


@dataclass(frozen=True, eq=False)
class Task:
    """What a process is told to make."""

    group: Group
    study: Path  # the study's folder
    facts: Mapping[str, Any]  # what stands in each run's environment.json, by the run's key
    every: float = SECONDS  # from one checkpoint to the next


@dataclass(frozen=True, eq=False)
class Child:
    """The process that makes a task's runs."""

    task: Task
    process: BaseProcess
    said: Connection

    def error(self) -> str | None:
        """Why it ended without a result: its traceback, or what killed it; None if it ended well."""
        code = self.process.exitcode
        if code == 0:
            return None
        with contextlib.suppress(EOFError):
            if self.said.poll():
                return self.said.recv_bytes().decode()
        return f"killed: {signal.Signals(-code).name}" if code and code < 0 else f"killed: exit code {code}"

    def stop(self) -> None:
        """End it now; what it has kept is gone on with next time."""
        self.process.terminate()
        self.process.join()
        self.said.close()


def start(task: Task, device: str = "cpu") -> Child:
    """Begin to make those of a task's runs that are not done and that nobody else is making."""
    for _ in range(_TRIES):
        try:
            return _start(task, device)
        except (EOFError, ConnectionError):  # the server was killed at this very moment; the next one is told again
            time.sleep(0.2)
    return _start(task, device)


def _start(task: Task, device: str) -> Child:
    method = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"
    context: Any = mp.get_context(method)
    if method == "forkserver":
        # torch._dynamo is what a process's first optimizer imports, for longer than a tiny run takes.
        context.set_forkserver_preload(["clinometer.training.run", "torch._dynamo"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(task, device, dict(os.environ), sender), daemon=True)
    with sender, _no_main():
        process.start()
    return Child(task, process, receiver)


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


def _child(task: Task, device: str, environ: dict[str, str], sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its runs itself
    os.environ.clear()  # the server's are those of the time when it was started
    os.environ.update(environ)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        leases = RunLocks(task.study)
        ours = [config for config in task.group if leases.take(config.key)]
        run_group({config: run_folder(task.study, config) for config in ours}, device, task.every, task.facts)
    except Exception:
        sender.send_bytes(traceback.format_exc().encode())
        sys.exit(1)


def _die_with_parent() -> None:
    parent = mp.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # an orphan would go on where nobody sees its end
