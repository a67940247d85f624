"""Workers are stopped and go on with the process that started them, and end with it."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from parents import WarmParent, own_children

from clinometer.runner.child import call_in_child
from clinometer.runner.process_kept import process_kept

COMMAND = """
import signal, time
from clinometer.cli.interruptions import orderly_interruptions
from clinometer.runner.child import start_child
with orderly_interruptions():
    child = start_child(time.sleep, [1000])
    print(child.process.pid, flush=True)
    while True:
        time.sleep(0.01)
"""


def state(process: int) -> str:
    """One letter: S sleeps, T is stopped, Z has ended; "" if it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for(process: int, states: str) -> None:
    """Until a process is in one of these states; an assertion if it is not in time."""
    end = time.monotonic() + 20
    while (now := state(process)) not in states.split("|"):
        assert time.monotonic() < end, f"{process} is in state {now!r}"
        time.sleep(0.02)


def test_workers_are_suspended_with_their_command(tmp_path: Path) -> None:
    """Ctrl-Z, fg, Ctrl-Z again, and then the command is killed while all is stopped: the worker ends, too."""
    command = WarmParent(tmp_path / "study", COMMAND)
    end = time.monotonic() + 60
    while not (said := command._printed.read_text().strip()):
        assert command.poll() is None, command.finish()
        assert time.monotonic() < end
        time.sleep(0.02)
    worker = int(said)
    for _ in range(2):
        os.kill(command.pid, signal.SIGTSTP)
        wait_for(command.pid, "T")
        wait_for(worker, "T")
        os.kill(command.pid, signal.SIGCONT)
        wait_for(worker, "S")
        wait_for(command.pid, "S|R")
    os.kill(command.pid, signal.SIGTSTP)
    wait_for(worker, "T")
    os.kill(command.pid, signal.SIGKILL)
    wait_for(worker, "Z|")


INIT = """
import ctypes, os, pathlib
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: it inherits orphans, as the first process of a container does
from clinometer.runner.child import call_in_child
for _ in range(3):
    call_in_child(os.getpid)
print(len(pathlib.Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))
raise SystemExit
"""


def test_guardians_leave_no_zombies_in_a_container(tmp_path: Path) -> None:
    """After three calls its only children are the server that forks and multiprocessing's resource tracker."""
    status, printed = WarmParent(tmp_path / "study", INIT).finish(timeout=300)
    assert status == 0, printed
    assert int(printed) <= 2


def test_a_child_has_no_child_that_it_did_not_make() -> None:
    """The guardian is nobody's child: `os.wait` of somebody's code would wait for it for ever."""
    assert call_in_child(own_children) == []


def test_code_of_others_leaves_the_process_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder, its environment and what it does on signals."""
    monkeypatch.setenv("KEPT", "as it was")
    before = Path.cwd(), signal.getsignal(signal.SIGTERM)
    with contextlib.suppress(InterruptedError), process_kept():
        os.chdir(tmp_path)
        os.environ.pop("KEPT")
        os.environ["NEW"] = "1"
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise InterruptedError
    assert (Path.cwd(), signal.getsignal(signal.SIGTERM)) == before
    assert os.environ["KEPT"] == "as it was"
    assert "NEW" not in os.environ
