"""The scores as a table for people and as JSON.

`python -m clinometer.papers.learning_rates.table FOLDER --to FOLDER` makes both from the folder of a finished study.
"""

import argparse
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.papers.learning_rates.case import Case, cases_in, prediction_of
from clinometer.papers.learning_rates.configurations import HELD_OUT, TUNING
from clinometer.papers.learning_rates.definition import STUDY
from clinometer.papers.learning_rates.grid import GRIDS
from clinometer.papers.learning_rates.prediction import PREDICTORS, SUGGESTED
from clinometer.papers.learning_rates.scores import NEAR, Score, score, scores, second_draw, seeds_apart
from clinometer.results.finished_run import FinishedRun
from clinometer.results.statistics import Interval
from clinometer.training.files import finite, write_json, write_whole
from clinometer.training.run_folder import run_folder

COLUMNS = (
    "predictor",
    "largest rate within × 1.5",
    "answers",
    "median error",
    "bias",
    "interval holds it",
    "interval's ends",
    "not stable at its choice",
    "loss within 5%",
    "within 10%",
    "median loss",
)


def row(found: Score) -> list[str]:
    """One predictor's line."""
    return [
        PREDICTORS[found.predictor],
        _share(found.right),
        _percent(found.answered.value),
        f"× {found.error:.2f}",
        f"× {found.bias:.2f}",
        _percent(found.covered.value),
        f"× {found.width:.1f}",
        _share(found.failed),
        _share(found.close),
        _percent(found.near.value),
        f"× {found.excess:.2f}",
    ]


def table(cases: Sequence[Case]) -> str:
    """The scores of all predictors in Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row(each) for each in scores(cases))]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_optimizer(cases: Sequence[Case]) -> str:
    """The scores of `suggest_lr` for each optimizer."""
    head = ("optimizer", "configurations", *COLUMNS[1:])
    lines: list[Sequence[str]] = [head, ["---"] * len(head)]
    for family in GRIDS:
        own = [case for case in cases if case.family == family]
        lines.append([family, str(len(own)), *row(score(own, SUGGESTED))[1:]])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def remarks(cases: Sequence[Case]) -> list[str]:
    """What must be known beside the table."""
    outcomes = [case.outcome for case in cases]
    cost = np.array([case.cost for case in cases])
    spent = np.array([case.passes for case in cases])
    reasons = [case.reason for case in cases if case.reason]
    return [
        "Every predictor but `suggest_lr` has one constant, one interval and one fraction for each optimizer, from the "
        "tuning set; the rates that they choose were not trained, and have the loss between those of two of the sweep. "
        "The constant rate is one of the sweep's own, and so often its best by the same draw of seeds.",
        f"{sum(each.censored for each in outcomes)} of {len(cases)} configurations are stable up to the grid's end: "
        "there no prediction counts as too high.",
        f"{sum(each.holes > 0 for each in outcomes)} have a rate below the best one at which the loss ends above its "
        "start.",
        f"`suggest_lr` took {np.median(spent):.0f} passes, forward and backward, in the median and {spent.max():.0f} "
        f"at most, {_percent(float(cost.max()))} of a sweep of 7 rates with one seed.",
        f"The sweep's best rate, trained again with three other seeds, is within 5% of itself in "
        f"{_share(second_draw(cases))} and within 10% in {_percent(second_draw(cases, NEAR).value)}; its three seeds "
        f"differ by more than 5% among themselves in {_percent(seeds_apart(cases).value)}.",
        *(f"`suggest_lr` cannot tell in {len(reasons)}, such as: {min(reasons)}." for _ in reasons[:1]),
    ]


def as_json(cases: Sequence[Case]) -> dict[str, Any]:
    """All scores, and each configuration's numbers."""
    return {
        "scores": [_plain(dataclasses.asdict(each)) for each in scores(cases)],
        "by_optimizer": {
            family: _plain(dataclasses.asdict(score([c for c in cases if c.family == family], SUGGESTED)))
            for family in GRIDS
        },
        "second_draw": _plain(dataclasses.asdict(second_draw(cases))),
        "seeds_apart": _plain(dataclasses.asdict(seeds_apart(cases))),
        "configurations": [_case(case) for case in cases],
    }


def _case(case: Case) -> dict[str, Any]:
    name, width, depth, norm = case.network
    found = case.outcome
    return _plain(
        {
            "model": name.rpartition(":")[2],
            "width": width,
            "depth": depth,
            "norm": norm,
            "optimizer": case.family,
            "batch_size": case.config.batch_size,
            "largest": found.largest,
            "unstable": found.unstable,
            "best": found.best,
            "sweep_best_loss": case.sweep_best.loss,
            "passes": case.passes,
            "reason": case.reason,
            "predictions": {
                predictor: {
                    "largest": each.largest,
                    "low": each.low,
                    "high": each.high,
                    "chosen": each.chosen,
                    "excess": case.excess(predictor),
                    "stable": not case.failed(predictor) if each.answered else None,
                }
                for predictor, each in case.predictions.items()
            },
        }
    )


def _plain(value: Any) -> Any:
    """With None in place of what is not finite, to six digits."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return finite(float(f"{value:.6g}")) if isinstance(value, float) else value


def _share(found: Interval) -> str:
    return f"{_percent(found.value)} ({_percent(found.low)} to {_percent(found.high)})"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.0f}%"


def written(folder: Path, scale: str, to: Path) -> None:
    """Write `scores.md` and `scores.json` of a study's folder into another one."""
    bases = STUDY.scales[scale].bases
    held, tuned = (cases_in(folder, STUDY.scales[scale], of) for of in (HELD_OUT, TUNING))
    if not held:
        raise SystemExit(f"{folder} has no held-out configuration with both a sweep and a prediction.")
    facts = environment_in(folder, held)
    command = f"clinometer reproduce {STUDY.name} --scale {scale}"
    parts = [
        f"# {STUDY.title}",
        f"By `{command}`, then `python -m {__spec__.name if __spec__ else __name__} FOLDER --to results/{STUDY.name}`. "
        f"{next(iter(bases.values())).steps} steps on 8×8 digits; {facts}.",
        f"## The held-out set: {len(held)} configurations of {len({case.network for case in held})} networks",
        table(held),
        *remarks(held),
        "## `suggest_lr` by optimizer",
        by_optimizer(held),
    ]
    if tuned:
        parts += [
            f"## The tuning set: {len(tuned)} configurations, on which all constants were fitted",
            table(tuned),
        ]
    to.mkdir(parents=True, exist_ok=True)
    write_whole(to / "scores.md", "\n\n".join(parts) + "\n")
    write_json(to / "scores.json", {"command": command, "environment": facts, **as_json(held)})


def environment_in(folder: Path, cases: Sequence[Case]) -> str:
    """The processor and the versions that made the runs."""
    run = FinishedRun.read(run_folder(folder, prediction_of(cases[0].config)))
    found = run.versions
    names = ("processor", "python", "torch", "numpy")
    return ", ".join(f"{name} {found[name]}" for name in names if name in found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", default="laptop", choices=STUDY.scales)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    written(given.folder, given.scale, given.to)
