"""Studies of another version's format: every command that reads one refuses it, in one sentence."""

from pathlib import Path

import pytest
from stored import keep

from clinometer import Store, load
from clinometer.cli import main
from clinometer.training.files import write_sealed
from clinometer.training.study_file import FORMAT, write_study

OWN = Path(__file__).parents[2] / "examples" / "own_study" / "study.yaml"
FACTS = {"study": "santurkar2018", "scale": "smoke", "bases": {}, "only": "", "seeds": None, "command": "make it"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study as the earlier version wrote it, without a mark, one of a later version, and one of this version."""
    monkeypatch.chdir(tmp_path)
    for name in ("old", "new", "mine"):
        keep(tmp_path / name, {"seed": 0}, {0: {"p": {"x": 1.0}}})
    write_sealed(tmp_path / "old" / "study.json", FACTS)
    write_sealed(tmp_path / "new" / "study.json", {**FACTS, "format": FORMAT + 1})
    write_study(tmp_path / "mine", FACTS)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ["report", "{}"],
        ["export", "{}", "--to", "out"],
        ["compare", "{}", "mine"],
        ["compare", "mine", "{}"],
        ["merge", "mine", "{}", "--to", "out"],
        ["status", "{}"],
        ["reproduce", "santurkar2018", "--to", "{}"],
        ["run", str(OWN), "--to", "{}"],
    ],
)
@pytest.mark.parametrize(("name", "age"), [("old", "an earlier"), ("new", "a later")])
def test_every_command_refuses_it_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], name: str, age: str
) -> None:
    """Status 2, the folder, both formats and what to do; every file is as it was."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(SystemExit, match="2"):
        main([word.format(name) for word in words])
    said = capsys.readouterr().err
    assert f"error: {name} holds a study of {age} version of clinometer (its format is" in said
    assert "make it again in a new folder, or read it with that version." in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_load_refuses_it_and_reads_a_run_alone(folder: Path) -> None:
    """Rows have a format of their own: a recorder's folder, or one run of any study, is read as ever."""
    for to in ("xarray", "pandas"):
        with pytest.raises(ValueError, match="old holds a study of an earlier version of clinometer"):
            load(folder / "old", to=to)
    [run] = (folder / "old" / "runs").iterdir()
    assert load(run).p_x.values.tolist() == [1.0]
    Store(folder / "attached" / "rows.sqlite").append(0, {"p": {"x": 2.0}})
    assert load(folder / "attached").p_x.values.tolist() == [2.0]
