"""`clinometer doctor`: what is broken is said, and is no traceback of its own."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from clinometer.cli import doctor, main
from clinometer.cli.installed import Requirement, tried


def report(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    return int(str(ended.value.code)), json.loads(capsys.readouterr().out)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package needed little: to import all that it may need takes ten seconds. No page is written."""
    needed = [
        Requirement("numpy", ">=1.26", ""),
        Requirement("rich", ">=13.6", "studies"),
        Requirement("no-such-package", ">=1", "export"),
        Requirement("cyclopts", ">=999", "studies"),
    ]
    monkeypatch.setattr(doctor, "requirements", lambda: needed)
    monkeypatch.setattr(doctor, "page_error", lambda: "")
    monkeypatch.setattr(doctor, "_papers", lambda: {"santurkar2018": ""})


def test_what_an_extra_lacks_comes_with_the_command(few: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A package that is not there and one that is too old; neither is broken, so the status is 0."""
    status, found = report(capsys)
    assert status == 0
    assert found["extras"]["export"] == {"lacks": ["no-such-package"], "command": "pip install 'clinometer[export]'"}
    assert found["extras"]["studies"]["lacks"][0].startswith("cyclopts 999 (found ")
    assert found["packages"]["numpy"]["version"] == sys.modules["numpy"].__version__


def test_data_is_looked_for_where_runs_look(
    few: None, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without the files of the test part, and a cache of 5 bytes."""
    (tmp_path / "train-0.parquet").touch()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "x.npz").write_bytes(b"12345")
    monkeypatch.setenv("CLINOMETER_DATA", str(tmp_path))
    monkeypatch.setenv("CLINOMETER_CACHE", str(tmp_path / "cache"))
    data = report(capsys)[1]["data"]
    assert data["cifar10"] == {"folder": str(tmp_path), "error": f"no readable test*.parquet in {tmp_path}"}
    assert data["cache"] == {"folder": str(tmp_path / "cache"), "bytes": 5, "writable": True}
    (tmp_path / "test-0.parquet").touch()
    assert report(capsys)[1]["data"]["cifar10"]["error"] == ""


def test_what_is_installed_and_broken_ends_with_status_1(
    few: None, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torch that cannot be imported, and a paper's package that raises: both are named."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('libcudart.so.12: cannot open')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(doctor, "requirements", lambda: [Requirement("torch", ">=2.6", "")])
    monkeypatch.setattr(doctor, "_papers", lambda: {"mine": "the paper 'mine' cannot be imported from mine: no"})
    status, found = report(capsys)
    assert status == 1
    assert found["broken"] == [
        "torch: ImportError: libcudart.so.12: cannot open",
        "paper mine: the paper 'mine' cannot be imported from mine: no",
    ]


def test_a_package_that_ends_the_process_does_not_hide_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One calls os._exit, as a crash in C would end it; the one after it is imported in another process."""
    (tmp_path / "fatal.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    found = tried(["json", "fatal", "math"])
    assert found["json"]["error"] == found["math"]["error"] == ""
    assert found["fatal"]["error"] == "it ended the process that imported it: status 3"


@pytest.mark.long
def test_here_all_that_is_installed_works(capsys: pytest.CaptureFixture[str]) -> None:
    """The environment that these tests run in has every extra; a page is written in another process."""
    status, found = report(capsys)
    assert (status, found["broken"]) == (0, [])
    assert found["page"]["can_be_written"]
