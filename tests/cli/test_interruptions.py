"""Studies that are ended from outside, while their runs do what they can to stay."""

import os
import signal
import time
from pathlib import Path

import pytest
from parents import WarmParent
from stubborn import BORN

from clinometer.runner.locks import is_locked

WAYS = ["ignores signals", "is stopped", "is in C code", "has children"]
STUDY = f"""
name: stubborn
model: stubborn:net
optimizer: stubborn:Stubborn
factors:
  how: {WAYS}
seeds: 1
steps: 5
every: 4
"""
COMMAND = """
import os
from clinometer.cli import main
os.environ["{variable}"] = "{born}"
os.chdir("{folder}")
{more}
main(["run", "study.yaml", "--jobs", "4"])
"""
IN_C = """
import ctypes
from clinometer.runner.local import LocalPool
def hang(pool):
    open("closing", "w").close()
    ctypes.PyDLL(None).sleep(1000)
LocalPool.close = hang
"""


def started(folder: Path, more: str = "") -> WarmParent:
    """The command, once all four of its runs, and two children of one, are where they want to stay."""
    (folder / "study.yaml").write_text(STUDY)
    (folder / "born").mkdir()
    command = WarmParent(
        folder / "study", COMMAND.format(variable=BORN, born=folder / "born", folder=folder, more=more)
    )
    end = time.monotonic() + 60
    while len(list((folder / "born").iterdir())) < 6:
        assert command.poll() is None, command.finish()
        assert time.monotonic() < end
        time.sleep(0.02)
    return command


def assert_gone(folder: Path, seconds: float) -> None:
    """None of the processes lives that have left their numbers, and no run is locked."""
    end = time.monotonic() + seconds
    for file in (folder / "born").iterdir():
        state = Path("/proc", file.name, "stat")
        while state.exists() and ") Z " not in state.read_text():
            assert time.monotonic() < end, f"{file.name} lives"
            time.sleep(0.02)
    study = folder / "runs" / "stubborn"
    locks = list((study / "records").glob("*.lock"))
    assert len(locks) == 4
    assert not any(is_locked(study, lock.stem) for lock in locks)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.long),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_a_signal_ends_a_command_with_all_that_it_started(number: int, status: int, tmp_path: Path) -> None:
    """Within a minute, though each run stays in its own way; it says how to go on, unless it was killed."""
    command = started(tmp_path)
    os.kill(command.pid, number)
    ended, printed = command.finish(timeout=60)
    assert ended == status, printed
    assert ("Interrupted. What is done is kept; the same command goes on from there." in printed) == (status > 0)
    assert "Traceback" not in printed
    assert_gone(tmp_path, 30)


def test_a_second_signal_ends_a_command_that_does_not_end(tmp_path: Path) -> None:
    """Its end waits in C code, where no handler of Python is called; the system ends it, and the guardians its runs."""
    command = started(tmp_path, IN_C)
    os.kill(command.pid, signal.SIGINT)
    while not (tmp_path / "closing").exists():
        time.sleep(0.02)
    os.kill(command.pid, signal.SIGINT)
    assert command.finish(timeout=60)[0] == -signal.SIGINT
    assert_gone(tmp_path, 30)
