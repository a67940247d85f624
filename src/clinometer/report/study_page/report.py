"""A study's results, from its folder: `claims.json`, `theorems.json`, the figures and `report.html`."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.analysis.learning_progress import final_accuracy, left_chance
from clinometer.plots.forest import forest_figure
from clinometer.plots.matplotlib import save
from clinometer.report import page
from clinometer.report.agreement import Agreement, KeptClaims, agreement
from clinometer.report.final_values import final_values
from clinometer.report.verdicts import Verdicts
from clinometer.results.run_table import RunTable
from clinometer.runner.scheduler import Failure
from clinometer.studies.figure import Figure
from clinometer.studies.plan import Plan
from clinometer.studies.study import FigureSpec
from clinometer.studies.theorems import check, rows
from clinometer.training.config import RunConfig
from clinometer.training.environment import environment
from clinometer.training.files import write_json


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
) -> Results:
    """Decide the claims, check the theorems, draw the figures and write the page, from the runs that are done.

    Args:
        plan: What was planned.
        folder: The study's folder.
        command: What makes it again.
        failures: RunTable that failed, to be named on the page.
        verdicts: Those decided while the runs were made, in this process; by default all are decided now.
        theorems: The rows of `theorems.json`, if the theorems are checked already.
        kept: Claims that were decided elsewhere, to compare the verdicts with.
    """
    verdicts = verdicts or Verdicts(plan, folder)
    claims = verdicts.all_rows()
    write_json(folder / "claims.json", claims)
    if theorems is None:
        theorems = rows(plan.theorems, {name: check(each.load()) for name, each in plan.theorems.items()})
    write_json(folder / "theorems.json", theorems)
    runs = verdicts.table
    compared = agreement(claims, kept) if kept else None
    forest = _save_forest(claims, folder / "figures")
    figures = _save_figures(plan, runs, folder / "figures")
    remarks = [*_unfinished_remarks(plan, runs), *_mixed_remarks(runs)]
    remarks += [f"Left out: {damage}" for damage in runs.damaged]
    missing = [
        f"{name} is not drawn: an arm of it has no finished run." for name in plan.figures if name not in figures
    ]
    missing += [f"A run failed ({plan.run_name(f.config)}): {f.reason}" for f in failures]
    page.write(
        page.Page(
            title=plan.study.title,
            source=plan.study.source,
            read=plan.study.read,
            about=f"{plan.about}.",
            command=command,
            claims=claims,
            agreement=compared,
            theorems=theorems,
            arms=[_trained_arm(plan, runs, arm) for arm in runs.arms],
            forest=forest,
            figures=figures,
            finals=final_values(runs, plan, plan.study.recorded),
            settings={name: _settings(plan, name) for name in plan.used},
            environment=_environment(runs),
            missing=[*remarks, *missing],
        ),
        folder,
    )
    return Results(claims, theorems, remarks, compared, figures)


def _save_forest(claims: Sequence[Mapping[str, Any]], folder: Path) -> Figure | None:
    """Draw the effects that the claims rest on, if any was measured."""
    figure = forest_figure({"": claims})
    if not figure.panels:
        return None
    save(figure, folder / "claims")
    return figure


def _save_figures(plan: Plan, runs: RunTable, folder: Path) -> dict[str, Figure]:
    """Draw the figures whose runs are there."""
    figures: dict[str, Figure] = {}
    for name in plan.figures:
        figure = plan.study.figures[name]
        if _can_be_drawn(plan, runs, figure):
            with np.errstate(divide="ignore", invalid="ignore"):  # what diverged leaves gaps
                figures[name] = figure.draw(runs, plan.variants)
            save(figures[name], folder / name)
    return figures


def _can_be_drawn(plan: Plan, runs: RunTable, figure: FigureSpec) -> bool:
    """Whether the arms on each data set have a seed in common, to be compared by; or any has one, if that will do."""
    arms = figure.arms(plan.variants)
    if not figure.whole:
        return any(runs.seeds(arm) for arm in arms)
    return all(runs.seeds(*(arm for arm in arms if arm.data == data)) for data in {arm.data for arm in arms})


def _unfinished_remarks(plan: Plan, runs: RunTable) -> list[str]:
    """What must be known first of a study that is not complete."""
    done, planned = len(runs.configs), len(plan.configs)
    if done == planned:
        return []
    return [
        f"Partial: {done} of {planned} runs are finished, and all below rests on these." if done else "Not yet run."
    ]


def _settings(plan: Plan, name: str) -> dict[str, Any]:
    return {
        fact: value
        for fact, value in plan.bases[name].facts().items()
        if fact not in (*plan.study.label_fields, "seed")
    }


def _trained_arm(plan: Plan, runs: RunTable, arm: RunConfig) -> page.Arm:
    """The row of the page that tells how far an arm had trained."""
    losses = runs.values(arm, "train", "loss")[:, [0, -1]]
    row = page.Arm(
        name=plan.name_of(arm),
        seeds=len(losses),
        diverged=runs.diverged(arm),
        loss=f"{np.mean(losses[:, 0]):.3g} → {np.mean(losses[:, 1]):.3g}",
    )
    if "accuracy" not in runs.row(arm, "train"):
        return row
    row = dataclasses.replace(row, accuracy=_percent(final_accuracy(runs, arm, classes=plan.study.classes)))
    if "accuracy" in runs.row(arm, "test"):
        row = dataclasses.replace(row, test=_percent(np.nan_to_num(runs.values(arm, "test", "accuracy")[:, -1])))
    if plan.study.classes is None:
        return row
    left = left_chance(runs, arm, classes=plan.study.classes)
    steps = ", ".join("never: dead" if np.isinf(step) else f"{step:.0f}" for step in left)
    return dataclasses.replace(row, left_chance=steps)


def _percent(values: Any) -> str:
    return f"{100 * values.mean():.1f}% ({100 * values.min():.1f} to {100 * values.max():.1f})"


def _environment(runs: RunTable) -> Mapping[str, Any]:
    """Where the first run was made, and in how many other places the rest were."""
    if not runs.configs:
        return environment()
    found = [
        {name: fact for name, fact in run.environment.items() if name != "fingerprint"} for run in runs.runs.values()
    ]
    others = len({json.dumps(facts, sort_keys=True) for facts in found}) - 1
    return found[0] | ({"note": f"{others} other environments also made runs of this study"} if others else {})


def _mixed_remarks(runs: RunTable) -> list[str]:
    """What must be known of runs that were made by different code, data or versions."""
    first: dict[tuple[str, str], Any] = {}
    differing: dict[str, None] = {}
    for run in runs.runs.values():  # arms may have other modules and data: what has one name must be one thing
        for name, value in _parts(run.environment.get("fingerprint")).items():
            if first.setdefault(name, value) != value:
                differing[": ".join(filter(None, name))] = None
    return [f"Mixed: its runs were not all made with the same ({'; '.join(differing)})."] if differing else []


def _parts(fingerprint: Any) -> dict[tuple[str, str], Any]:
    """The parts of a fingerprint, module by module and data set by data set."""
    if not isinstance(fingerprint, Mapping):
        return {("fingerprint", ""): fingerprint}
    parts: dict[tuple[str, str], Any] = {("fingerprint", ""): "there"}
    for kind, digests in fingerprint.items():
        each = digests if isinstance(digests, Mapping) else {"": digests}
        parts |= {(str(kind), str(name)): value for name, value in each.items()}
    return parts
