"""A study's verdicts beside those of another `claims.json`: by the function, on the page, and by the commands."""

import json
import shutil
import types
from pathlib import Path
from typing import Any

import pytest
from stored import STUDY, study

from clinometer.cli import main
from clinometer.pages.agreement import ANOTHER_DRAW, KeptClaims, agreement, read_kept
from clinometer.pages.study_page.report import report
from clinometer.results.claims_file import read_claims
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.writing.kept import kept_for


def row(name: str, verdict: str, **other: Any) -> dict[str, Any]:
    part = {"name": "gap", "verdict": verdict, "value": 2.0, "low": 1.0, "high": 3.0, "n": 3, "looks": [3], "unit": ""}
    return {"id": name, "verdict": verdict, "rule": "above 0", "parts": [part], "beside": [], **other}


def test_each_way_in_which_two_verdicts_compare() -> None:
    """All nine pairs of verdicts, a rule that changed and a claim that is not there: each is counted once, by hand."""
    verdicts = ("holds", "fails", "undecided")
    pairs = [(ours, theirs) for ours in verdicts for theirs in verdicts]
    ours = [row(f"C{number}", mine) for number, (mine, _) in enumerate(pairs)]
    theirs = [row(f"C{number}", other) for number, (_, other) in enumerate(pairs)]
    ours += [row("R", "holds", rule="above 1"), row("N", "holds")]
    theirs += [row("R", "holds"), row("X", "holds")]
    found = agreement(ours, KeptClaims(Path("kept"), theirs))
    assert found.agree == ("C0", "C4", "C8")
    assert (found.open_here, found.open_there, found.differ) == (("C6", "C7"), ("C2", "C5"), ("C1", "C3"))
    assert (found.other_rule, found.missing) == (("R",), ("N",))
    assert [name for name, _, _ in found.said] == ["C1", "C2", "C3", "C5", "C6", "C7", "R"]
    assert found.line == (
        "agrees with kept in 3 of 9 claims; open here: C6, C7; differs: C1, C3; open there: C2, C5; "
        "by another rule there, not compared: R; not there: N"
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of a paper's figure with chosen numbers, and its report."""
    folder = tmp_path_factory.mktemp("made") / "study"
    planned = plan(STUDY, "smoke", ["figure_01"])
    open_study_folder(folder, planned, {"only": "figure_01"})
    study(folder, list(STUDY.figures["figure_01"].arms(planned.bases)))
    report(planned, folder, "again")
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "study")


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_report_says_what_it_agrees_in(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The kept file is the study's own with one verdict turned round: all but that claim agree, on page and screen."""
    rows = json.loads((copy / "claims.json").read_text())
    decided = "fails" if rows[0]["verdict"] == "holds" else "holds"
    rows[0] |= {"verdict": decided, "parts": [part | {"verdict": decided} for part in rows[0]["parts"]]}
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps(rows))
    assert call("report", str(copy), "--against", str(kept)) == 0
    page = " ".join((copy / "report.html").read_text().split())
    for text in (capsys.readouterr().out, page):
        assert f"agrees with {kept} in {len(rows) - 1} of {len(rows)} claims" in text
    assert ANOTHER_DRAW in page
    assert f"{decided}:" in page
    assert call("report", str(copy), "--against", str(copy)) == 0
    assert f"in {len(rows)} of {len(rows)} claims; open here: none; differs: none\n" in capsys.readouterr().out


def test_bad_input_is_said_before_anything_is_written(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file, a damaged one, one of another version, and one of another study; `reproduce` begins no run either."""
    rows = json.loads((copy / "claims.json").read_text())
    old = {"id": "C1", "verdict": "holds", "parts": [{"verdict": "holds"}]}
    files = {
        "nowhere.json": (None, "no file"),
        "cut.json": ("[{", "is damaged"),
        "object.json": ("{}", "expected a list of claims"),
        "old.json": (
            json.dumps([old]),
            "another version",
        ),
        "other.json": (json.dumps([each | {"id": f"Z{each['id']}"} for each in rows]), "none of this study's claims"),
    }
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    for name, (text, expected) in files.items():
        if text is not None:
            (tmp_path / name).write_text(text)
        against = ("--against", str(tmp_path / name))
        assert call("report", str(copy), *against) == 2
        assert expected in capsys.readouterr().err
        assert call("reproduce", "santurkar2018", "--only", "F2", "--to", str(tmp_path / "new"), *against) == 2
        assert expected in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_the_committed_verdicts_can_be_compared_with(scale: str) -> None:
    """`make reproduce` compares with them: what this version cannot read would end it before any work."""
    kept = read_kept(Path(__file__).parents[2] / "results" / "santurkar2018" / scale, [c.id for c in STUDY.claims])
    found = agreement(kept.rows, kept)
    assert found.agree == tuple(row["id"] for row in kept.rows)


def test_what_is_kept_of_a_paper_is_compared_with_by_default(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The counts are those of the file in `results` by name; the page says what it is, and `none` leaves it away."""
    file = Path(__file__).parents[2] / "results" / "santurkar2018" / "smoke"
    found = agreement(json.loads((copy / "claims.json").read_text()), KeptClaims(file, read_claims(file)))
    made = json.loads((file / "made_with.json").read_text())
    assert call("report", str(copy), "--json") == 0
    ours = json.loads(capsys.readouterr().out)["agreement"]
    assert [ours[name] for name in ("agree", "differ", "open_here")] == [
        [*each] for each in (found.agree, found.differ, found.open_here)
    ]
    named = f"the results kept for santurkar2018 at scale smoke (clinometer {made['packages']['clinometer']}, torch"
    assert ours["name"].startswith(named)
    assert made["processor"] in ours["name"]
    assert named in " ".join((copy / "report.html").read_text().split())
    assert call("report", str(copy), "--against", "none") == 0
    assert "kept for" not in capsys.readouterr().out + (copy / "report.html").read_text()


def test_a_paper_of_another_package_offers_its_own(copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By `KEPT` of its module; a damaged one names the file and the way out, and nothing kept is no comparison."""
    paper = types.SimpleNamespace(KEPT=tmp_path)
    monkeypatch.setattr("clinometer.papers.kept.load_paper", lambda _name: paper)
    assert kept_for("mine", "smoke", ["C1"], None) is None
    shutil.copytree(copy, tmp_path / "smoke")
    (tmp_path / "smoke" / "made_with.json").write_text("[")
    kept = kept_for("mine", "smoke", ["C1"], None)
    assert str(kept) == "the results kept for mine at scale smoke"
    (tmp_path / "smoke" / "claims.json").write_text("[{")
    with pytest.raises(ValueError, match=r"smoke/claims.json is damaged.*--against none"):
        kept_for("mine", "smoke", ["C1"], None)
