"""Code of a paper or a study that ends the process: the command says so, and has a status of its own."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinometer.cli.app import main
from clinometer.papers.santurkar2018 import theorem_4_1

EXITS = {"sys.exit(0)": lambda: sys.exit(0), "os._exit(0)": lambda: os._exit(0)}


@pytest.mark.parametrize("name", EXITS)
def test_a_theorem_that_exits_is_not_verified(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each would end the command with status 0: this process, too, if it were not prevented."""
    leave: Callable[[], None] = EXITS[name]
    before = os._exit
    monkeypatch.setattr(theorem_4_1, "right", lambda *_, **__: leave())
    with pytest.raises(SystemExit, match="1"):
        main(["check", "santurkar2018", "--only", "theorem_4_1", "--cases", "2"])
    assert "code of the study or paper has ended the command: SystemExit: " in capsys.readouterr().err
    assert os._exit is before


@pytest.mark.parametrize(("name", "said"), [("sys.exit(0)", "SystemExit: 0"), ("os._exit(0)", "os._exit(0)")])
def test_a_program_that_exits_is_no_study(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, with the program's line."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("CLINOMETER_MODULES", "")
    program = tmp_path / f"exiting_{name[:2]}.py"
    program.write_text(f"import os, sys\n{name}\n")
    with pytest.raises(SystemExit, match="2"):
        main(["run", str(program)])
    err = capsys.readouterr().err.replace("\n", " ")
    assert said in err
    assert "line 2" in err


def test_a_fork_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that the command's process forks, as multiprocessing does, ends by `os._exit`, with its status."""
    statuses: list[int] = []

    def fork(*_: object, **__: object) -> None:
        child = os.fork()
        if child == 0:
            os._exit(7)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        raise SystemExit

    monkeypatch.setattr(theorem_4_1, "right", fork)
    with pytest.raises(SystemExit, match="1"):
        main(["check", "santurkar2018", "--only", "theorem_4_1", "--cases", "2"])
    assert statuses == [7]
