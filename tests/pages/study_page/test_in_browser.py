"""The page of a study in a real Chromium: its numbers, rows that open, the filter, and what remains without script."""

import json
from pathlib import Path
from typing import Any

import pytest
from browser import DESK, check_page, show, violations
from stored import STUDY, Curve, jitter, study

from clinometer.pages.agreement import read_kept
from clinometer.pages.study_page.report import report
from clinometer.studies.plan import plan

_NUMBERS = """(row) => ({
  verdict: (row.dataset.verdict || row.dataset.decided), chip: row.querySelector(".chip").textContent,
  ...Object.fromEntries(["value", "low", "high"].map((name) => [name, JSON.parse(row.dataset[name])])),
})"""


def apart(none: float, batch: float) -> Curve:
    """What differs between the networks, and a little from seed to seed, so that an interval has a width."""
    return lambda run, _step: none * (1 + jitter(run)) if run["norm"] == "none" else batch * (1 - jitter(run))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two of the paper's figures, some runs missing, with the verdicts of another machine beside."""
    folder = tmp_path_factory.mktemp("study")
    planned = plan(STUDY, "smoke", ["figure_03", "figure_04", "figure_10", "figure_01"], first_seed=0)
    arms = [arm for name in ("figure_03", "figure_04", "figure_10") for arm in STUDY.figures[name].arms(planned.bases)]
    study(folder, arms, beta=apart(9.0, 3.0), variation=apart(1.0, 5.0), gap=apart(90.0, 1.0))
    report(planned, folder, "again")
    kept = read_kept(folder, [claim.id for claim in planned.claims])
    report(planned, folder, "again", kept=kept)
    return folder


def numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("verdict", "value", "low", "high")} | {"chip": row["verdict"]}


def test_a_study_s_page_is_what_every_page_must_be(page: Any, folder: Path) -> None:
    """Chromium and axe judge it closed, and again with every row open: a claim's parts and rule are read then."""
    check_page(page, folder / "report.html")
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.wait_for_timeout(300)
    assert violations(page) == []
    assert page.errors == []


def test_the_numbers_are_those_of_claims_json(page: Any, folder: Path) -> None:
    """The file is the truth: each claim, each part and each that stands beside, to the last digit, in its order."""
    page.goto((folder / "report.html").as_uri())
    rows = json.loads((folder / "claims.json").read_text())
    assert len({row["verdict"] for row in rows}) > 1
    for row in rows:
        shown = page.locator(f"[data-claim={row['id']}]")
        assert shown.evaluate(_NUMBERS) == numbers(row)
        parts = [part.evaluate(_NUMBERS) for part in shown.locator("[data-part]").all()]
        assert parts == [numbers(part) for part in (*row["parts"], *row["beside"])]
        assert shown.locator(".there").text_content() == f"there: {row['verdict']}"
    lead = page.locator(".lead").text_content()
    assert f"{sum(row['verdict'] == 'holds' for row in rows)} hold" in lead


def test_a_row_opens_to_its_figures_and_gives_them_back(page: Any, folder: Path) -> None:
    """By a link, by hand, and closed again: the figure is with the claim while that is open, and only there."""
    show(page, folder / "report.html")
    page.goto((folder / "report.html").as_uri() + "#C7")
    page.locator("[data-claim=C7] figure#figure_04 canvas").first.wait_for()
    assert page.locator("#figure_04").count() == 1
    assert page.locator("#figures .away", has_text="Figure 4").is_visible()
    assert page.locator("#C7").bounding_box()["y"] < DESK["height"]
    page.locator("[data-claim=C7] > summary").press("Enter")
    page.locator("#figures > figure#figure_04").wait_for()
    assert not page.locator("#figures .away", has_text="Figure 4").is_visible()


def test_a_filter_leaves_one_verdict(page: Any, folder: Path) -> None:
    """As many rows remain as claims.json has undecided ones."""
    page.goto((folder / "report.html").as_uri())
    rows = json.loads((folder / "claims.json").read_text())
    for verdict in ("holds", "fails"):
        page.locator(f".filter [data-filter={verdict}]").click()
    left = [row.get_attribute("data-claim") for row in page.locator(".claim").all() if row.is_visible()]
    assert left == [row["id"] for row in rows if row["verdict"] == "undecided"]


def test_without_script_a_link_opens_its_claim(chromium: Any, folder: Path) -> None:
    """The browser itself opens a row whose content a link points at; figures are drawings, and nothing is hidden."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "report.html").as_uri() + "#C9")
    assert page.locator("[data-claim=C9] .parts").first.is_visible()
    assert page.locator("#figure_04 svg").first.is_visible()
    assert not page.locator("[data-claim=C8] .parts").first.is_visible()
    context.close()
