"""The page of a study: one file, which says what a reader must know, also of half a study and of none."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from stored import STUDY, study

from clinometer.pages.destination import Destination
from clinometer.pages.study_page.report import report
from clinometer.runner.scheduler import Failure
from clinometer.studies.plan import plan
from clinometer.training.run_folder import finish, run_folder


class Links(HTMLParser):
    """Everything that a page would fetch or lead to, its scripts that are no data, and its ids."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.ids: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert not any(name.startswith("on") or name == "style" for name in given)
        self.scripts += tag == "script" and given.get("type") != "application/json"
        self.sources += [given[name] for name in ("src", "href", "xlink:href") if name in given]
        self.ids += [given["id"]] if "id" in given else []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    planned = plan(STUDY, "smoke", ["figure_04", "figure_01"], first_seed=0)
    runs = study(folder, [arm for name in planned.figures for arm in STUDY.figures[name].arms(planned.bases)])
    for config in runs.configs:
        (run_folder(folder, config) / "environment.json").write_text(json.dumps({"torch": "9.9 <b>"}))
        finish(run_folder(folder, config))
    failure = Failure(runs.configs[0], "ValueError: <script>alert(1)</script>", Path("log"))
    report(planned, folder, "clinometer reproduce <x>", [failure])
    return folder


def test_the_page_is_one_file(folder: Path) -> None:
    """Nothing is fetched: a link leads to a place on the page, which is there once, or to the paper at arXiv."""
    links = Links()
    links.feed((folder / "report.html").read_text())
    assert links.scripts == 1
    assert len(set(links.ids)) == len(links.ids)
    inside = {source[1:] for source in links.sources if source.startswith("#")}
    assert {"C3", "figure_01", "figure_04", "theorems", "again"} - inside == {"theorems"}, "none was asked for"
    assert inside <= set(links.ids)
    outside = {source for source in links.sources if not source.startswith("#")}
    assert outside == {"https://arxiv.org/abs/1805.11604"}


def test_the_page_tells_what_a_reader_must_know(folder: Path) -> None:
    """Claims and rules, how far each arm had trained, settings, versions, the command, and what failed."""
    page = (folder / "report.html").read_text()
    for expected in (
        "C3",
        "undecided",
        "norm none, lr 1",
        "left chance at step",
        "measure_every",
        "torch",
        "clinometer reproduce &lt;x&gt;",
        "&lt;script&gt;alert(1)",
        "95% interval",
        "holds above",
        "Of 3 claims",
        "@inproceedings{santurkar2018",
    ):
        assert expected in page
    assert "<script>alert" not in page
    assert "9.9 <b>" not in page


def test_claims_json_is_a_list_of_the_promised_objects(folder: Path) -> None:
    """Strict JSON: infinities and NaN would not be."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    rows = json.loads((folder / "claims.json").read_text(), parse_constant=refuse)
    assert [row["id"] for row in rows] == ["C1", "C2", "C3"]
    for row in rows:
        assert {"id", "statement", "source", "rule", "verdict", "value", "low", "high", "n"} <= set(row)
        assert row["verdict"] in {"holds", "fails", "undecided"}


def test_a_figure_without_its_runs_is_named_not_drawn(tmp_path: Path) -> None:
    """Half a study is reported as half a study."""
    planned = plan(STUDY, "smoke", ["figure_04", "figure_02"], first_seed=0)
    study(tmp_path, STUDY.figures["figure_04"].arms(planned.bases))
    report(planned, tmp_path, "x")
    assert (tmp_path / "figures" / "figure_04.svg").is_file()
    assert not (tmp_path / "figures" / "figure_02.svg").exists()
    page = (tmp_path / "report.html").read_text()
    assert "figure_02 is not drawn" in page
    assert "Partial: 6 of 9 runs are finished" in page


def test_the_page_may_be_written_elsewhere(tmp_path: Path) -> None:
    """A page alone: its folder is made, and nothing is written into the study's, as a listing of it says."""
    (tmp_path / "study").mkdir()
    place = Destination.of(tmp_path / "study", tmp_path / "pages" / "mine.html")
    report(plan(STUDY, "paper", ["figure_07"]), tmp_path / "study", "x", place=place)
    assert "Figure 7" in (tmp_path / "pages" / "mine.html").read_text()
    assert not list((tmp_path / "study").iterdir())


def test_a_study_without_runs_says_so(tmp_path: Path) -> None:
    """Every claim is undecided, figure 7 is drawn, and the page does not pretend."""
    found = report(plan(STUDY, "paper", ["figure_07", "C1"], first_seed=0), tmp_path, "x")
    assert {row["verdict"] for row in found.claims} == {"undecided"}
    assert "Not yet run." in (tmp_path / "report.html").read_text()
    assert (tmp_path / "figures" / "figure_07.png").is_file()
