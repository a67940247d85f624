"""How far each arm of a study had trained: a network at chance is flat because it has not begun to learn."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clinometer.analysis.learning_progress import final_accuracy, left_chance
from clinometer.results.run_table import RunTable
from clinometer.studies.plan import Plan
from clinometer.training.config import RunConfig


@dataclass(frozen=True)
class TrainedArm:
    """How far an arm of the study had trained."""

    name: str
    seeds: int
    diverged: int
    loss: str  # training loss of the first step and of the last
    accuracy: str = "–"  # final training accuracy, mean and range over seeds
    test: str = "–"  # final test accuracy
    left_chance: str = "–"  # the step at which its accuracy first exceeded twice chance


def trained_arm(plan: Plan, runs: RunTable, arm: RunConfig) -> TrainedArm:
    """How far an arm that has a finished run had trained."""
    losses = runs.values(arm, "train", "loss")[:, [0, -1]]
    found = TrainedArm(
        name=plan.name_of(arm),
        seeds=len(losses),
        diverged=runs.diverged(arm),
        loss=f"{np.mean(losses[:, 0]):.3g} → {np.mean(losses[:, 1]):.3g}",
    )
    if "accuracy" not in runs.row(arm, "train"):
        return found
    found = replace(found, accuracy=_percent(final_accuracy(runs, arm, classes=plan.study.classes)))
    if "accuracy" in runs.row(arm, "test"):
        found = replace(found, test=_percent(np.nan_to_num(runs.values(arm, "test", "accuracy")[:, -1])))
    if plan.study.classes is None:
        return found
    left = left_chance(runs, arm, classes=plan.study.classes)
    steps = ", ".join("never: dead" if np.isinf(step) else f"{step:.0f}" for step in left)
    return replace(found, left_chance=steps)


def _percent(values: Any) -> str:
    return f"{100 * values.mean():.1f}% ({100 * values.min():.1f} to {100 * values.max():.1f})"
