"""The README and the docs are tests: their Python runs, and prints what they say it prints."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import fill
import pytest
import warm
from generators import papers
from generators.kept import read_claims
from generators.llms import llms
from PIL import Image
from snippets import BLOCK, program

from clinometer.papers import load_study
from clinometer.papers.instability.scores.score import Score as AlarmScore
from clinometer.papers.instability.scores.table import Line
from clinometer.papers.learning_rates.scores import Score as RateScore
from clinometer.results.run_table import RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Claim, Evidence
from clinometer.studies.claims_json import claim_rows, with_holm
from clinometer.studies.comparison import FACTOR, above

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", [page for page in PAGES if program(page)[0]], ids=lambda p: p.name)
def test_snippets_print_what_they_say(page: Path, tmp_path: Path) -> None:
    """What a page says comes out is what its Python and commands print, in an empty folder, warnings being errors."""
    code, expected = program(page)
    script = tmp_path / "script.py"
    script.write_text(code)
    done = warm.run(["-W", "error", script], cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected


def test_the_readme_opens_with_under_fifteen_lines() -> None:
    """What has to be read before trying."""
    first = next(text for kind, text in BLOCK.findall((ROOT / "README.md").read_text()) if kind == "python")
    assert len([line for line in first.splitlines() if line.strip()]) < 15


def test_tables_say_what_results_and_probes_say() -> None:
    """They are made from `results/` and the probes; were one typed or stale, filling it again would change the page."""
    for path in fill.PAGES:
        assert fill.filled(path.read_text()) == path.read_text(), "run: python docs/fill.py"
    claims = {f"C{n}" for n in range(1, 13)} | {"F1", "F2", "D1", "D2", "D3"}
    page = (ROOT / "docs" / "paper.md").read_text()
    found = [(match["kind"], match["rest"]) for match in fill.TABLE.finditer(page)]
    assert {rest for kind, rest in found if kind == "claim"} == claims
    assert {kind for kind, _ in found} == {"claim", "verdicts", "outcome", "seeds", "forest"}


@pytest.mark.parametrize("name", [name for name in papers.built_in() if load_study(name).read])
def test_the_page_of_a_paper_begins_with_what_was_read(name: str) -> None:
    """A reader has to know first whether claims are those of a text or of an abstract; and both scales are kept."""
    page = (ROOT / "docs" / f"{papers.PAGE_OF.get(name, name)}.md").read_text()
    title, first, *_ = page.split("\n\n")
    assert title.startswith("# ")
    assert "Read: " in first
    assert list(read_claims(fill.RESULTS / name))[:2] == ["smoke", "laptop"]


def test_llms_txt_names_what_there_is() -> None:
    """Made from the commands' own list and signatures, the public names and the pages: one that is new or gone would
    change it."""
    assert fill.LLMS.read_text() == llms(), "run: python docs/fill.py"


def test_the_picture_shows_what_results_say() -> None:
    """The numbers that were drawn are kept inside the picture: they are those of `results/` today."""
    figure = fill.forest()
    if figure.panels:
        with Image.open(fill.FOREST) as image:
            assert image.text["estimates"] == fill.drawn_numbers(figure), "run: python docs/fill.py"


def row(claim: str, verdict: str, **facts: Any) -> dict[str, Any]:
    """A row of claims.json with one part."""
    part = {"name": "log10 of the gap", "verdict": verdict, "value": 4.0, "low": 2.0, "high": 8.0, "n": 3, "p": 0.01}
    part |= {"unit": "factor", "bounds": [1.0, None], "samples": [3.0, 4.0, 5.0], "looks": [3, 5], "remark": ""}
    row = {"id": claim, "statement": "it is so", "verdict": verdict, "parts": [part], "beside": [], "holm": verdict}
    row |= {"seeds_needed": None}
    return row | {"status": "confirmatory", "status_reason": "", "first_seed": 100} | facts


def test_a_table_of_verdicts_has_confirmatory_ones_alone(tmp_path: Path) -> None:
    """Rows written by hand: what was explored is told in its own table, and in no table or picture of verdicts."""
    rows = [row("C1", "fails", holm="undecided"), row("C2", "holds", status="exploratory", status_reason="late")]
    rows.append(row("C3", "undecided", parts=[row("", "undecided")["parts"][0] | {"n": 0}]))
    (tmp_path / "santurkar2018" / "smoke").mkdir(parents=True)
    (tmp_path / "santurkar2018" / "smoke" / "claims.json").write_text(json.dumps(rows))

    def told(key: str) -> list[str]:
        return fill.filled(f"<!-- {key} -->\n<!-- end -->", tmp_path).splitlines()[3:-1]

    assert told("verdicts") == [
        "| C1 | it is so | **fails** (Holm: undecided) |",
        "| C2 | it is so | not confirmed |",
        "| C3 | it is so | not run |",
    ]
    assert told("claim C2")[1] == "| gap | above 1 | holds: a factor 4 [2, 8], n = 3, 2nd look |"
    assert "**holds** (exploratory: late)" in told("claim C2")[0]
    assert fill.filled("<!-- outcome -->\n<!-- end -->", tmp_path).splitlines()[1:-1] == ["- **Fails**: C1 (smoke)"]
    assert told("seeds") == ["| smoke | 3 | from 100 | 2 | 1 of 2 |"]
    (panel,) = fill.forest(tmp_path).panels
    assert [estimate.name for estimate in panel.estimates] == ["C1 gap"]


def test_a_line_for_each_paper_tells_its_claims_by_what_became_of_them(tmp_path: Path) -> None:
    """Rows written by hand: scales that agree, that differ, one that is open, and one that was explored only."""
    rows = {
        "smoke": [row("G1", "holds"), row("G2", "fails"), row("G3", "undecided")],
        "laptop": [row("G1", "holds"), row("G2", "holds"), row("G10", "fails", status="exploratory")],
    }
    for scale, of_scale in rows.items():
        (tmp_path / "instability" / scale).mkdir(parents=True)
        (tmp_path / "instability" / scale / "claims.json").write_text(json.dumps(of_scale))
    lines = fill.filled("<!-- papers docs -->\n<!-- end -->", tmp_path).splitlines()[3:-1]
    assert [re.findall(r"\(`(\w+)`\)", line) for line in lines] == [[name] for name in papers.built_in()]
    (told,) = [line for line in lines if "`instability`" in line]
    assert told.split(" | ")[1:] == [
        "**G1** it is so (smoke, laptop)",
        "**G10** it is so (laptop; exploratory)",
        "**G2** it is so (smoke fails, laptop holds)<br>**G3** it is so (smoke) |",
    ]
    claims = fill.filled("<!-- claims instability -->\n<!-- end -->", tmp_path).splitlines()
    assert claims[1] == "|  | claim | smoke | laptop |"
    assert claims[3] == f"| G1 | it is so |{2 * ' **holds**<br>gap: holds: a factor 4 [2, 8], n = 3, 2nd look |'}"
    assert (
        claims[5] == "| G3 | it is so | **undecided**<br>gap: undecided: a factor 4 [2, 8], n = 3, 2nd look | not run |"
    )
    assert "Not counted yet: `clinometer reproduce lost` does." in fill.filled(
        "<!-- claims lost -->\n<!-- end -->", tmp_path
    )


def test_an_open_claim_says_how_many_seeds_it_would_take(tmp_path: Path) -> None:
    """An effect of one deviation takes 10 seeds at a fixed limit, by any table of t, and few more where looks are paid
    for; one of a hundredth takes more than anybody makes."""
    kept = tmp_path / "santurkar2018" / "smoke" / "claims.json"
    kept.parent.mkdir(parents=True)

    def told(*logs: float) -> str:
        evidence = Evidence((above("gap", logs, 0.0, FACTOR),))
        claim = Claim("C1", "it is so", "us", "above 1", (), lambda *_: evidence)
        (open_row,) = with_holm(claim_rows([claim], RunTable({}), {}))
        open_row |= {"status": "confirmatory", "status_reason": "", "first_seed": 100}
        kept.write_text(json.dumps([open_row]))
        return fill.filled("<!-- verdicts -->\n<!-- end -->", tmp_path)

    seeds = re.search(r"\| undecided \(about (\d+) seeds would decide it\) \|", told(0.0, 1.0, 2.0))
    assert seeds
    assert 10 <= int(seeds[1]) <= 15
    assert "| undecided (hopeless as posed: more than 400 seeds) |" in told(-1.0, 0.01, 1.0)


def test_scores_are_told_as_their_writers_keep_them(tmp_path: Path) -> None:
    """By hand, of rows that the writers' own classes make: were a key renamed there, the pages could not be filled."""
    found = Interval(0.9, 0.8, 0.95, 40)
    score = AlarmScore(found, found, (20.0, 31.0, 50.0), Interval(1.5, 0.5, 3.0, 20_000), found, 0, 0)
    alerts = ("mine", "ours"), ("gradient norm", "usual")
    lines = [Line("all held out", name, kind, kind == "ours", score).as_json() for name, kind in alerts]
    rates = RateScore("suggest_lr", found, found, 1.2, 1.0, found, 4.0, found, found, found, 1.0)
    counted = {key: {"right": 3, "of": 4} for key in ("rate_told", "rate_not_told_when_healthy", "rate_cured")}

    def told(key: str) -> str:
        return fill.filled(f"<!-- {key} -->\n<!-- end -->", tmp_path).partition("\n")[2].removesuffix("\n<!-- end -->")

    assert "Not counted yet" in told("alarms") + told("rates") + told("advice rate")
    for path, kept in (
        ("instability/scores.json", {"lines": lines}),
        ("learning_rates/scores.json", {"scores": [dataclasses.asdict(rates)]}),
        ("advice.json", {"about": "by hand", **counted}),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(json.dumps(kept))
    assert told("alarms").startswith(
        "Of 40 held-out runs that broke, the default alert announced 90% (80 to 95) at least 20 steps before, and 90% "
        "(80 to 95) of those that took so long to break. It gave 1.5 (0.5 to 3.0) false alarms in 10,000 healthy steps"
    )
    assert "usual alarms, gradient norm, announced 90% (80 to 95) for 1.5 (0.5 to 3.0) false ones" in told("alarms")
    assert told("alert mine").startswith("An alert on mine announced 90% (80 to 95)")
    assert told("rates").startswith("On 40 held-out configurations the largest stable rate was within a factor 1.5")
    assert told("advice rate").count("| 3 of 4 |") == 3


def test_costs_of_signals_are_told_as_they_were_measured_and_stay_where_they_were_not(tmp_path: Path) -> None:
    """Numbers by hand, of two networks; before there are any the page is as it was."""
    page = "<!-- signals -->\nas it was\n<!-- end -->"
    assert fill.filled(page, tmp_path) == page
    of_one = {"signals": {"headroom()": {"added": [2.0, 2.12, 2.9], "every": 20}}, "bare": 0.12}
    of_one["budget"] = {"added": 0.061, "steps": 9}
    networks = {name: {"name": name.upper(), **of_one} for name in ("vgg", "gpt")}
    (tmp_path / "signals.json").write_text(json.dumps({"about": "torch 2", "networks": networks}))
    head, _, row, _, said = fill.filled(page, tmp_path).splitlines()[1:-1]
    assert head == "|  | at every | VGG, added | of the run | GPT, added | of the run |"
    assert row == "| `headroom()` | 20 | 2.1 (2 to 2.9) | 10.6% | 2.1 (2 to 2.9) | 10.6% |"
    assert "add together 6.1% to 9 steps of VGG; 6.1% to 9 steps of GPT. A bare step takes 120 ms of VGG" in said


def test_a_picture_keeps_the_numbers_that_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn, and read again by Pillow: a stale picture would have others than its results."""
    figure = fill.forest_figure({"smoke": [row("C1", "holds")]})
    monkeypatch.setattr(fill, "FOREST", tmp_path / "claims.png")
    fill.draw_forest(figure)
    with Image.open(tmp_path / "claims.png") as image:
        (estimate,) = json.loads(image.text["estimates"])
    assert (estimate["name"], estimate["low"], estimate["high"]) == ("C1 gap", 2.0, 8.0)


BENCHMARKS = [path for path in sorted((ROOT / "benchmarks").glob("*.py")) if "def main" in path.read_text()]
SHORTER = {
    "advice.py": ["--configurations", "1"],
    "budget.py": ["--steps", "25"],
    "curvature.py": ["--only", "product", "--trained", "2"],
    "overhead.py": ["--only", "headroom"],
    "signals.py": ["--steps", "8", "--networks", "gpt"],
    "stable_rates.py": ["--only", "mlp"],
    "throughput.py": ["--runs", "2", "--without-ray"],
}


@pytest.mark.long
@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda p: p.name)
def test_benchmarks_run(benchmark: Path, tmp_path: Path) -> None:
    """Each runs to its end and prints its table; the figures of a loaded machine say nothing."""
    words = ["-W", "error", benchmark, "--repeats", "1", *SHORTER.get(benchmark.name, ())]
    done = warm.run(words, cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "n = 1" in done.stdout
