"""`clinometer report`: where the page goes, what is left alone, and the browser that opens it."""

import json
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from stored import STUDY, study
from traces import seen

from clinometer import Store
from clinometer.cli import main
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder


def call(line: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(line.split())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a recorder's folder, and a study that was reported on once."""
    monkeypatch.chdir(tmp_path)
    store = Store(tmp_path / "mine" / "rows.sqlite")
    for step in range(3):
        store.append(step, {"landscape": {"loss": 2.5, "beta": 3.0, "beta_lr_half": 0.5}})
    store.close()
    planned = plan(STUDY, "smoke", ["figure_01"], seeds=3, first_seed=0)
    open_study_folder(tmp_path / "study", planned, {"only": "figure_01", "seeds": 3})
    study(tmp_path / "study", list(STUDY.figures["figure_01"].arms(planned.bases)))
    call("report study")
    return tmp_path


def test_a_page_goes_elsewhere_and_nothing_into_the_folder(folder: Path) -> None:
    """Of a run and of a study: every byte and time of these is as before. A file gets the page alone."""
    before = seen(folder / "mine"), seen(folder / "study")
    for name in ("mine", "study"):
        call(f"report {name} --to pages/{name}.html")
        call(f"report {name} --to {name}-page")
    assert (seen(folder / "mine"), seen(folder / "study")) == before
    assert sorted(path.name for path in (folder / "pages").iterdir()) == ["mine.html", "study.html"]
    assert [path.name for path in (folder / "mine-page").iterdir()] == ["report.html"]
    for name in ("claims.json", "theorems.json", "figures/figure_01.svg"):
        assert (folder / "study-page" / name).read_bytes() == (folder / "study" / name).read_bytes()


def test_a_place_that_cannot_be_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no page, which would be lost."""
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit, match="2"):
        main(["report", "mine", "--to", "thesis.txt"])
    assert "a page whose name ends in .html; found thesis.txt." in capsys.readouterr().err
    assert (folder / "thesis.txt").read_text() == "years of work"


def found(capfd: pytest.CaptureFixture[str], line: str, status: int = 0) -> dict[str, Any]:
    with pytest.raises(SystemExit, match=str(status)):
        main([*line.split(), "--json"])
    return json.loads(capfd.readouterr().out)


def test_reading_only_finds_the_same_and_writes_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a run: against a report that writes its page elsewhere. Of a study: against the files of the last report."""
    before = seen(folder / "mine"), seen(folder / "study")
    assert found(capfd, "report mine --read-only") == found(capfd, "report mine --to page.html") | {"page": None}
    of_study = found(capfd, "report study --read-only")
    assert (seen(folder / "mine"), seen(folder / "study")) == before
    for name in ("claims", "theorems"):
        assert of_study[name] == json.loads((folder / "study" / f"{name}.json").read_text())
    assert of_study.keys() == found(capfd, "report study").keys()


def test_reading_only_decides_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A verdict that was written into claims.json by hand is what is told: no run is looked at, for a look costs."""
    rows = json.loads((folder / "study" / "claims.json").read_text())
    turned = {"holds": "fails", "fails": "undecided", "undecided": "holds"}
    wrong = [row | {"verdict": turned[row["verdict"]]} for row in rows]
    (folder / "study" / "claims.json").write_text(json.dumps(wrong))
    told = found(capfd, "report study --read-only")
    assert [row["verdict"] for row in told["claims"]] == [row["verdict"] for row in wrong]
    assert "`clinometer report study` decides again." in told["remarks"][0]


def test_reading_only_says_what_cannot_be_read(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A study without a report, rows of another version or none, and options that write."""
    claims = folder / "study" / "claims.json"
    rows = json.loads(claims.read_text())
    for spoiled in ([{"id": "C1", "verdict": "holds"}], [{**rows[0], "status": None, "parts": 3}], {}):
        claims.write_text(json.dumps(spoiled))
        assert "claims.json" in found(capfd, "report study --read-only", 2)["error"]
    claims.unlink()
    told = found(capfd, "report study --read-only", 2)["error"]
    assert told == "nothing of study was decided yet: `clinometer report study` does it."
    for option in ("--to out", "--open", "--tex"):
        assert "--read-only writes nothing" in found(capfd, f"report study --read-only {option}", 2)["error"]


@pytest.mark.parametrize("there", [True, False])
def test_the_page_is_opened(
    there: bool, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The browser is stood in for; where there is none, that is said, and the status stays 0."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or there)
    call("report mine --open --to page.html")
    assert opened == [(folder / "page.html").as_uri()]
    assert ("No browser was found" in capsys.readouterr().out) != there
