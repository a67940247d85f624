"""A study's results, from its folder: `claims.json`, `theorems.json`, the figures and `report.html`."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.pages.agreement import Agreement, KeptClaims, agreement
from clinometer.pages.destination import Destination
from clinometer.pages.final_values import final_values
from clinometer.pages.html.ids import anchor
from clinometer.pages.status import status_line
from clinometer.pages.study_page import page
from clinometer.pages.study_page.anchors import Anchors
from clinometer.pages.study_page.citation import citations
from clinometer.pages.study_page.claims import ShownClaims, shown_claims, tally_text
from clinometer.pages.study_page.remarks import MADE_WITH, made_with, remarks, what_is_missing
from clinometer.pages.study_page.trained import trained_arm
from clinometer.pages.study_page.walks import walks_figure
from clinometer.pages.verdicts import Verdicts
from clinometer.plots.forest import forest_figure
from clinometer.plots.matplotlib import save
from clinometer.results.run_table import RunTable
from clinometer.runner.scheduler import Failure
from clinometer.studies.figure import Figure
from clinometer.studies.plan import Plan
from clinometer.studies.study import FigureSpec
from clinometer.studies.theorems import check, rows
from clinometer.training.files import write_json

Rows = Sequence[Mapping[str, Any]]  # of claims.json


@dataclass(frozen=True)
class Results:
    """The rows of `claims.json` and `theorems.json`, and what must be known beside."""

    claims: list[dict[str, Any]]
    theorems: list[dict[str, Any]]
    remarks: list[str] = dataclasses.field(default_factory=list[str])  # what must be known of the runs they rest on
    agreement: Agreement | None = None  # with claims that were decided elsewhere
    figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict[str, Figure])  # those that were drawn


def report(
    plan: Plan,
    folder: Path,
    command: str,
    failures: Sequence[Failure] = (),
    verdicts: Verdicts | None = None,
    theorems: list[dict[str, Any]] | None = None,
    kept: KeptClaims | None = None,
    place: Destination | None = None,
) -> Results:
    """Decide the claims, check the theorems, draw the figures and write the page, from the runs that are done.

    Args:
        plan: What was planned.
        folder: The study's folder.
        command: What makes it again.
        failures: Runs that failed, to be named on the page.
        verdicts: Those decided while the runs were made, in this process; by default all are decided now.
        theorems: The rows of `theorems.json`, if the theorems are checked already.
        kept: Claims that were decided elsewhere, to compare the verdicts with.
        place: Where to write; the study's folder by default.
    """
    place = place or Destination.of(folder)
    for each in filter(None, (place.page.parent, place.files)):
        each.mkdir(parents=True, exist_ok=True)
    verdicts = verdicts or Verdicts(plan, folder)
    claims = verdicts.all_rows()
    _keep(claims, "claims.json", place)
    if theorems is None:
        theorems = rows(plan.theorems, {name: check(each.load()) for name, each in plan.theorems.items()})
    _keep(theorems, "theorems.json", place)
    runs = verdicts.table
    made = made_with(runs)
    if runs.configs:
        _keep(made, MADE_WITH, place)
    figures = _drawn_figures(plan, runs)
    if place.files:
        _save(figures, claims, place.files / "figures")
    known = remarks(plan, runs)
    results = Results(claims, theorems, known, agreement(claims, kept) if kept else None, figures)
    page.write(
        page.StudyPage(
            title=plan.study.title,
            source=plan.study.source,
            read=plan.study.read,
            about=f"{plan.about}.",
            command=command,
            citation=citations(plan.study.citation),
            claims=_shown(plan, claims, figures, kept, results.agreement),
            verdicts=tally_text(claims) if claims else "",
            status=status_line(claims),
            agreement=results.agreement,
            theorems=theorems,
            arms=[trained_arm(plan, runs, arm) for arm in runs.arms],
            figures=figures,
            walks=walks_figure(plan, runs),
            finals=final_values(runs, plan, plan.study.recorded),
            settings={name: _settings(plan, name) for name in plan.used} if runs.arms else {},
            environment=made,
            remarks=[*known, *what_is_missing(plan, figures, failures)],
        ),
        place.page,
    )
    return results


def _shown(
    plan: Plan, claims: Rows, figures: Mapping[str, Figure], kept: KeptClaims | None, found: Agreement | None
) -> ShownClaims:
    """The claims with their figures, and their verdicts elsewhere where the rule was the same."""
    other = set(found.other_rule) if found else set[str]()
    committed = {row["id"]: row["verdict"] for row in kept.rows if row["id"] not in other} if kept else {}
    anchors = Anchors([*page.SECTIONS, *map(anchor, figures)])
    drawn = {claim.id: [name for name in claim.figures if name in figures] for claim in plan.claims}
    return shown_claims(claims, drawn, anchors, committed)


def _drawn_figures(plan: Plan, runs: RunTable) -> dict[str, Figure]:
    """The figures whose runs are there."""
    figures: dict[str, Figure] = {}
    for name in plan.figures:
        spec = plan.study.figures[name]
        if _can_be_drawn(plan, runs, spec):
            with np.errstate(divide="ignore", invalid="ignore"):  # what diverged leaves gaps
                figures[name] = spec.draw(runs, plan.variants)
    return figures


def _keep(rows: Rows | Mapping[str, Any], name: str, place: Destination) -> None:
    """Write rows for programs, where more than the page is asked for."""
    if place.files:
        write_json(place.files / name, rows)


def _save(figures: Mapping[str, Figure], claims: Rows, folder: Path) -> None:
    """Keep the figures as files, for papers and slides; a forest plot of the claims is one, if any was measured."""
    forest = forest_figure({"": claims})
    for name, figure in {**figures, **({"claims": forest} if forest.panels else {})}.items():
        save(figure, folder / name)


def _can_be_drawn(plan: Plan, runs: RunTable, figure: FigureSpec) -> bool:
    """Whether the arms on each data set have a seed in common, to be compared by; or any has one, if that will do."""
    arms = figure.arms(plan.variants)
    if not figure.whole:
        return any(runs.seeds(arm) for arm in arms)
    return all(runs.seeds(*(arm for arm in arms if arm.data == data)) for data in {arm.data for arm in arms})


def _settings(plan: Plan, name: str) -> dict[str, Any]:
    return {
        fact: value
        for fact, value in plan.bases[name].facts().items()
        if fact not in (*plan.study.label_fields, "seed")
    }
