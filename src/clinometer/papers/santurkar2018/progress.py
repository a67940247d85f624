"""How far the arms of a claim had trained: said beside every verdict, and dead networks by that name."""

from typing import Any

import numpy as np

from clinometer.analysis.learning_progress import accuracy, final_accuracy, first_above, left_chance, loss_fell
from clinometer.papers.santurkar2018.variants import LABELS, label
from clinometer.results.runs import Floats, Runs
from clinometer.training.config import GAUSSIAN, Config

ENDED = 0.9  # a running accuracy at which there is little left to learn


def is_regression(arm: Config) -> bool:
    """Whether an arm has a loss and no accuracy: the deep linear networks."""
    return arm.data == GAUSSIAN


def speed(runs: Runs, arm: Config, seeds: list[int]) -> Floats:
    """Mean minibatch training accuracy over the whole run, shape (seeds,)."""
    return accuracy(runs, arm, seeds).mean(1)


def begun(runs: Runs, arms: list[Config], seeds: list[int]) -> Floats:
    """The step from which all these arms have begun to learn, shape (seeds,); infinite where one never does.

    A classifier has once its accuracy over 9 steps passes twice chance; a deep linear network, whose loss falls from
    the first step or not at all, has from the start if its last loss is below its first.
    """
    starts = [
        np.where(loss_fell(runs, arm, seeds) < 1, 0.0, np.inf) if is_regression(arm) else left_chance(runs, arm, seeds)
        for arm in arms
    ]
    return np.max(starts, axis=0)


def both_learn(runs: Runs, arms: list[Config], seeds: list[int], probe: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which measured steps lie between the start of the slower arm and the end of the faster one, (seeds, steps).

    A classifier has ended once its accuracy over 9 steps passes 90%: what is left of its gradients is small because
    it has learnt. A deep linear network does not end.
    """
    steps = runs.steps(arms[0], probe)[None, :]
    ends = [np.full(len(seeds), np.inf) if is_regression(arm) else first_above(runs, arm, ENDED, seeds) for arm in arms]
    return (steps >= begun(runs, arms, seeds)[:, None]) & (steps <= np.min(ends, axis=0)[:, None])


def trained(runs: Runs, *arms: Config) -> str:
    """How far each arm had trained, in words."""
    return "; ".join(_said(runs, arm) for arm in arms)


def _said(runs: Runs, arm: Config) -> str:
    reading = [arm.norm] * (arm.norm not in LABELS) + [arm.model] * (arm.model in ("dln_mean", "dln_bare"))
    name = f"{label(arm)} at lr {arm.lr:g}" + "".join(f" [{each}]" for each in reading)
    count = len(runs.seeds(arm))
    if is_regression(arm):
        left = loss_fell(runs, arm)
        dead = int((left >= 1).sum())
        text = f"DLN {name}: last loss {np.median(left):.2g} of the first"
    else:
        dead = int(np.isinf(left_chance(runs, arm)).sum())
        text = f"{name}: final training accuracy {100 * final_accuracy(runs, arm).mean():.0f}%"
    diverged = runs.diverged(arm)
    faults = [f"{dead} of {count} dead" if dead else "", f"{diverged} of {count} diverged" if diverged else ""]
    return text + "".join(f", {fault}" for fault in faults if fault)
