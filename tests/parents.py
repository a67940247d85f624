"""Processes that make the study of `faults.py`, and how to find and kill them and the processes that they start.

A parent that is started as a user starts it takes 5 CPU seconds to import torch, twice: once itself, and once in the
server from which it forks its workers. A warm one is forked from multiprocessing's server of this process, which has
imported torch, and forks its own server. From there on both kinds run the same code.
"""

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Protocol

from warm import fork_servers

from clinometer.runner.child import _main_hidden
from clinometer.runner.records import read_records

PROGRAM = "import sys; sys.path.insert(0, sys.argv[2]); from parents import make; make(sys.argv[1])"


class Parent(Protocol):
    """A process that makes a study."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""
        ...

    def finish(self, timeout: float | None = None) -> tuple[int, str]:
        """Wait for its end: its exit status and all that it has printed."""
        ...


class StartedParent:
    """One that is started as a user starts it, by a new interpreter."""

    def __init__(self, study: Path, prelude: str = "") -> None:
        imported = Path(tempfile.mkdtemp(dir=study.parent))  # by every interpreter that starts, runs' included
        (imported / "sitecustomize.py").write_text(prelude)
        path = os.pathsep.join([str(imported), os.environ.get("PYTHONPATH", "")])
        self._study = study
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(study), str(Path(__file__).parent)],
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that all of it can be ended
        )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def finish(self, timeout: float | None = None) -> tuple[int, str]:
        try:
            printed = self._process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)  # or it would disturb the tests that follow
            self._process.communicate()
            raise AssertionError(_too_late(self._study, timeout)) from None
        return self._process.returncode, printed


class WarmParent:
    """One that is forked from a process that has imported everything."""

    def __init__(self, study: Path, prelude: str = "") -> None:
        self._study = study
        context = mp.get_context("forkserver")
        context.set_forkserver_preload(["clinometer.runner.preload", "torch._dynamo"])  # as clinometer itself does
        file, name = tempfile.mkstemp(dir=study.parent)
        os.close(file)
        self._printed = Path(name)
        self._process = context.Process(target=_make_warm, args=(str(study), prelude, name))
        with _main_hidden():
            self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def finish(self, timeout: float | None = None) -> tuple[int, str]:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            kill(self.pid)
            raise AssertionError(_too_late(self._study, timeout))
        return status, self._printed.read_text()


def _too_late(study: Path, timeout: float | None) -> str:
    records, unreadable = read_records(study)
    return f"the study has not ended after {timeout} s: {list(records.values())}, {unreadable}"


KINDS: dict[str, Callable[..., Parent]] = {"warm": WarmParent, "started": StartedParent}


def make(study: str) -> None:
    """What a parent does."""
    from faults import CONFIGS

    from clinometer.runner.scheduler import run_all

    sys.exit(bool(run_all(CONFIGS, Path(study), jobs=2, checkpoint_every=0.1, retries=10**6, notify=print)))


def _make_warm(study: str, prelude: str, printed: str) -> None:
    os.setsid()
    output = os.open(printed, os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(output, stream.fileno())
    forkserver._forkserver = forkserver.ForkServer()  # its own, not that of the process that has forked it
    for name in ("ensure_running", "connect_to_new_process", "set_forkserver_preload", "get_inherited_fds"):
        setattr(forkserver, name, getattr(forkserver._forkserver, name))
    fork_servers()
    exec(prelude, {})
    make(study)


def family(pid: int) -> dict[str, list[int]]:
    """A parent and its descendants by what they are: the parent, the server that it forks from, the runs."""
    servers = {helper: runs for helper in children(pid) if (runs := children(helper))}
    return {"parent": [pid], "server": list(servers), "run": [run for runs in servers.values() for run in runs]}


def children(pid: int) -> list[int]:
    """The processes that a process has started and that have not ended."""
    try:
        tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:  # it has ended
        return []


def own_children() -> list[int]:
    """Those of this process."""
    return children(os.getpid())


def kill(pid: int) -> bool:
    """Whether the process was still there to be killed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
