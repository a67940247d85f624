"""`clinometer plan` as a command: what it prints of a pilot, that it leaves no trace, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from stored import STUDY, study

from clinometer.cli import main
from clinometer.pages.study_page.report import report
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.run_folder import finish, run_folder


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of figure 1, reported on once."""
    folder = tmp_path_factory.mktemp("made") / "study"
    planned = plan(STUDY, "smoke", ["figure_01"], seeds=3, first_seed=0)
    open_study_folder(folder, planned, {})
    for config in study(folder, list(STUDY.figures["figure_01"].arms(planned.bases))).configs:
        finish(run_folder(folder, config), 3600.0)
    report(planned, folder, "again")
    return folder


@pytest.fixture
def pilot(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(made, tmp_path / "study")


def test_it_prints_every_claim_and_takes_no_look(pilot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files, looks among them, are byte for byte and minute for minute as they were; decided claims need 0 more."""
    rows = json.loads((pilot / "claims.json").read_text())
    rows[0]["verdict"] = "holds"
    (pilot / "claims.json").write_text(json.dumps(rows))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in pilot.rglob("*") if path.is_file()}
    assert call("plan", "santurkar2018", "--pilot", str(pilot), "--max-seeds", "60") == 0
    shown = capsys.readouterr().out
    for claim in STUDY.claims:
        assert f" {claim.id} " in shown
    first = next(line for line in shown.splitlines() if f" {rows[0]['id']} " in line)
    assert "holds" in first
    assert "0 more" in first
    assert "not looked at" in shown
    assert "pilot seeds 0 to 2" in shown
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    assert {path for path in pilot.rglob("*") if path.is_file()} == set(before)


def test_a_study_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a pilot the error says what makes one; a study's file has no scale."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text("name: tiny\nmodel: nets:mlp\nfactors: {lr: [0.1, 0.2]}\n")
    assert call("plan", "study.yaml") == 2
    assert (
        "Make a pilot with `clinometer run study.yaml --seeds 3 --first-seed 0 --to runs/tiny`"
        in capsys.readouterr().err
    )
    assert call("plan", "study.yaml", "--scale", "smoke") == 2
    assert "--scale is for papers" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["santurkar2018"], "Make a pilot with `clinometer reproduce santurkar2018 --scale smoke --seeds 3"),
        (["santurkar2018", "--to", "nowhere"], "nowhere has no finished run of santurkar2018 at scale smoke"),
        (["santurkar2018", "--scale", "laptop", "--pilot", "study"], "study holds another study"),
        (["santurkar2018", "--scale", "tiny"], "no scale 'tiny'"),
        (["santurka2018"], "Did you mean 'santurkar2018'?"),
        (["nowhere.yaml"], "no file 'nowhere.yaml'"),
        (["santurkar2018", "--power", "1"], "--power must lie between 0.05 and 1"),
        (["santurkar2018", "--power", "nan"], "--power must lie between 0.05 and 1"),
        (["santurkar2018", "--max-seeds", "1"], "--max-seeds must lie in 2 to"),
        (["santurkar2018", "--to", "a", "--pilot", "b"], "--to and --pilot"),
    ],
)
def test_bad_input_is_said(words: list[str], expected: str, pilot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, status 2, and no traceback."""
    assert pilot.is_dir()
    assert call("plan", *words) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert err.count("\n") == 1


def test_a_damaged_table_of_claims_is_named(pilot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says which claims are decided, so a guess would be worse than none; without it none was looked at."""
    (pilot / "claims.json").write_text("[{")
    assert call("plan", "santurkar2018", "--pilot", str(pilot)) == 2
    assert "claims.json is damaged" in capsys.readouterr().err
    (pilot / "claims.json").unlink()
    assert call("plan", "santurkar2018", "--pilot", str(pilot)) == 0
    assert "0 more" not in capsys.readouterr().out
