"""Runs whose code does what it likes with its process: how each ends is known from what it does."""

import os
import time
from pathlib import Path

import pytest
from stubborn import BORN

from clinometer.runner.child import ChildError, call_in_child, shortened
from clinometer.runner.locks import is_locked
from clinometer.runner.records import read_record
from clinometer.runner.scheduler import run_all
from clinometer.runner.status import status
from clinometer.training.config import RunConfig
from clinometer.training.run_folder import is_done, run_folder


def config(how: str) -> RunConfig:
    return RunConfig("stubborn:net", optimizer="stubborn:Stubborn", settings={"how": how}, steps=4, test_every=4)


def gone(folder: Path) -> None:
    """Wait until none of the processes lives that have left their number in a folder; an assertion if one does."""
    end = time.monotonic() + 10
    for file in folder.iterdir():
        while Path("/proc", file.name, "stat").exists() and " Z " not in Path("/proc", file.name, "stat").read_text():
            assert time.monotonic() < end, f"{file.name} lives"
            time.sleep(0.02)


@pytest.fixture
def born(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which processes leave their numbers."""
    folder = tmp_path / "born"
    folder.mkdir()
    monkeypatch.setenv(BORN, str(folder))
    return folder


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("exits", "SystemExit: why"),
        ("exits well", "SystemExit: 0"),
        ("interrupts", "KeyboardInterrupt"),
        ("ends a generator", "GeneratorExit"),
        ("leaves with 0", "its process ended with exit status 0 before its work was done"),
        ("leaves with 3", "its process ended with exit status 3 before its work was done"),
        ("reads at 0", "killed: SIGSEGV"),
        ("says strange things", "ValueError: half of a pair: \\ud800"),
    ],
)
def test_a_run_that_ends_its_process_has_failed(how: str, reason: str, tmp_path: Path) -> None:
    """What it does is counted as a failure of each of its starts, and its reason is kept in the record."""
    retries = int(how == "leaves with 0")
    (failure,) = run_all([config(how)], tmp_path, jobs=1, retries=retries)
    record = read_record(tmp_path, config(how).key)
    assert (record.state, record.starts, record.failures) == ("failed", 1 + retries, 1 + retries)
    assert failure.reason == reason
    assert reason in record.error
    (told,), _ = status(tmp_path)
    assert (told.state, told.reason) == ("failed", reason)


def test_a_long_traceback_loses_its_middle(tmp_path: Path) -> None:
    """200 kB, more than a pipe holds: a study that waits for the end of the process would wait for ever."""
    run_all([config("says much")], tmp_path, jobs=1, retries=0)
    error = read_record(tmp_path, config("says much").key).error
    assert "Traceback" in error
    assert "a" * 1000 in error
    assert "c" * 1000 in error
    assert "characters are left out" in error
    assert len(error) < 70_000


@pytest.mark.parametrize(
    "how",
    [
        "leaves a child",
        "falls through",
        pytest.param("leaves a thread", marks=pytest.mark.long),  # it is given five seconds
        pytest.param("closes all files", marks=pytest.mark.long),  # SQLite tries for ten seconds
    ],
)
def test_what_a_run_leaves_behind_does_not_keep_it(how: str, born: Path, tmp_path: Path) -> None:
    """The run is done, or has failed for want of its files; nothing of it lives, and its lock is free."""
    failures = run_all([config(how)], tmp_path / "study", jobs=1, retries=0)
    assert bool(failures) == (how == "closes all files")
    assert is_done(run_folder(tmp_path / "study", config(how))) != bool(failures)
    assert not is_locked(tmp_path / "study", config(how).key)
    gone(born)


def test_a_run_may_change_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folder, environment, signal handlers and start method are its own; the study's path is relative all the same."""
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    assert not run_all([config("changes all")], Path("study"), jobs=1, retries=0)
    assert is_done(run_folder(tmp_path / "study", config("changes all")))
    assert Path.cwd() == tmp_path
    assert dict(os.environ) == before


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.long)])
def test_a_run_may_load_its_data_by_processes(method: str, tmp_path: Path) -> None:
    """A daemon, which a worker would be by multiprocessing's defaults, may have no children."""
    run = RunConfig(
        "torch.nn:Linear", data="stubborn:loaded", steps=2,
        settings={"method": method, "in_features": 2, "out_features": 2, "lr": 0.1},
    )  # fmt: skip
    assert not run_all([run], tmp_path, jobs=1, retries=0)


def _double(number: int) -> int:
    return 2 * number


def test_a_call_in_a_child_returns_or_raises() -> None:
    """Its value, or the traceback of what it has raised, or how it has ended."""
    assert call_in_child(_double, 21) == 42
    with pytest.raises(ChildError, match="TypeError: unsupported operand"):
        call_in_child(_double, {1})
    with pytest.raises(ChildError, match="exit status 7 before its work was done"):
        call_in_child(os._exit, 7)


def test_a_short_traceback_stays_whole() -> None:
    """Up to twice 32768 characters."""
    assert shortened("ab" * 2**15) == "ab" * 2**15
    assert shortened("ab" * 2**15 + "c").endswith("abc")
