"""`export`, `compare` and `merge` as commands: their words, what they print, and their exit status."""

import sys
from pathlib import Path

import pytest
from stored import keep

from clinometer.cli import main
from clinometer.training.study_file import write_study


def call(*words: str) -> int:
    """A command in this process, since starting another takes seconds; its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two studies in the current folder, which share a run."""
    monkeypatch.chdir(tmp_path)
    for name, seeds in {"a": (0, 1), "b[x]": (1, 2)}.items():
        for seed in seeds:
            keep(tmp_path / name, {"seed": seed}, {0: {"p": {"x": float(seed)}}})
        write_study(tmp_path / name, {"study": "mine", "scale": "smoke"})
    return tmp_path


def test_commands_do_their_work_and_say_where(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0, and the files that they name are there; a folder's name is not markup."""
    assert call("export", "b[x]", "--to", "out[y]", "--format", "csv") == 0
    assert "out[y]/runs.csv: 2 rows" in capsys.readouterr().out
    assert (folder / "out[y]" / "p.csv").is_file()
    assert call("export", "a", "--to", "out") == 0
    assert (folder / "out" / "p.parquet").is_file()
    assert call("compare", "a", "b[x]", "--quantity", "p.x", "p.x:last") == 0
    assert "1 runs in common, 1 of them identical bit for bit" in capsys.readouterr().out
    assert call("merge", "a", "b[x]", "--to", "all") == 0
    assert "3 runs, 1 of them found twice and equal" in capsys.readouterr().out
    assert len(list((folder / "all" / "runs").iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["export", "nowhere", "--to", "out"], "nowhere is missing: `clinometer export` takes"),
        (["export", "a", "--to", "b[x]"], "b[x] is there already, and is no empty folder"),
        (["export", "a", "--to", "out", "--format", "xlsx"], "xlsx"),
        (["export", "a"], "--to"),
        (["compare", "a", "nowhere"], "nowhere is missing: `clinometer compare` takes"),
        (["compare", "a", "b[x]", "--quantity", "p.y"], "no run has p.y: no field of p called 'y'; there are x"),
        (
            ["merge", "a", "nowhere", "--to", "out"],
            "nowhere is missing: `clinometer merge` takes",
        ),
        (["merge", "--to", "out"], "expected the folders of a study"),
        (["merge", "a", "--to", "out", "--keep", "last"], "last"),
    ],
)
def test_bad_input_is_said_and_nothing_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: str
) -> None:
    """Status 2, one line, and no folder."""
    assert call(*words) == 2
    said = capsys.readouterr()
    assert expected in (said.err + said.out).replace("\n", " ")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b[x]"]


def test_a_missing_library_is_said_with_its_extra(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyarrow made unimportable: Parquet asks for it by name, CSV needs none."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert call("export", "a", "--to", "out") == 2
    assert "pip install 'clinometer[export]'" in capsys.readouterr().err
    assert not (folder / "out").exists()
    assert call("export", "a", "--to", "out", "--format", "csv") == 0
