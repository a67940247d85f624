"""How far a variant had trained: a network stuck at chance has a flat landscape, and must not pass for a smooth one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig

WINDOW = 9  # steps over which minibatch accuracy is averaged
LAST = 10  # steps at the end over which the final training accuracy is averaged
ENDED = 0.9  # a running accuracy at which there is little left to learn

Seeds = Sequence[int] | None  # all that a variant has by default
Bools = np.ndarray[Any, np.dtype[np.bool_]]


def is_classifier(runs: RunTable, arm: RunConfig) -> bool:
    """Whether the training rows of a variant have an accuracy; a regression has a loss alone."""
    return "accuracy" in runs.row(arm, "train")


def accuracy(runs: RunTable, arm: RunConfig, seeds: Seeds = None, *, classes: int | None = 10) -> Floats:
    """Minibatch training accuracy, shape (seeds, steps).

    After a run diverged it is that of chance, since it answers no better; 0 where the number of classes is not known.
    """
    return np.nan_to_num(runs.values(arm, "train", "accuracy", seeds), nan=1 / classes if classes else 0.0)


def mean_accuracy(runs: RunTable, arm: RunConfig, seeds: Seeds = None) -> Floats:
    """Mean minibatch training accuracy over the whole run, shape (seeds,): how fast a network learns."""
    return accuracy(runs, arm, seeds).mean(1)


def final_accuracy(runs: RunTable, arm: RunConfig, seeds: Seeds = None, *, classes: int | None = 10) -> Floats:
    """Mean training accuracy over the last 10 steps, shape (seeds,)."""
    return accuracy(runs, arm, seeds, classes=classes)[:, -LAST:].mean(1)


def left_chance(runs: RunTable, arm: RunConfig, seeds: Seeds = None, *, classes: int = 10) -> Floats:
    """The first step at which the accuracy over 9 steps exceeds twice chance, shape (seeds,); infinite if none does."""
    return first_above(runs, arm, 2 / classes, seeds)


def first_above(runs: RunTable, arm: RunConfig, level: float, seeds: Seeds = None) -> Floats:
    """The first step at which the accuracy over 9 steps exceeds a level, shape (seeds,); infinite if none does."""
    above = smooth(accuracy(runs, arm, seeds)) > level
    return np.where(above.any(1), above.argmax(1), np.inf)


def loss_fell(runs: RunTable, arm: RunConfig, seeds: Seeds = None) -> Floats:
    """Last training loss over the first, shape (seeds,); infinite where a run diverged. For regressions."""
    losses = runs.values(arm, "train", "loss", seeds)
    return np.nan_to_num(losses[:, -1] / losses[:, 0], nan=np.inf, posinf=np.inf)


def learning_starts(runs: RunTable, arms: Sequence[RunConfig], seeds: Sequence[int]) -> Floats:
    """The step from which all these variants have begun to learn, shape (seeds,); infinite where one never does.

    A classifier has once its accuracy over 9 steps passes twice chance. A regression, whose loss falls from the first
    step or not at all, has from the start if its last loss is below its first.
    """
    starts = [
        left_chance(runs, arm, seeds)
        if is_classifier(runs, arm)
        else np.where(loss_fell(runs, arm, seeds) < 1, 0.0, np.inf)
        for arm in arms
    ]
    return np.max(starts, axis=0)


def all_learn(runs: RunTable, arms: Sequence[RunConfig], seeds: Sequence[int], probe: str) -> Bools:
    """At which of a probe's steps all these variants learn, shape (seeds, steps).

    They do from the start of the slowest to the end of the fastest. A classifier ends once its accuracy over 9 steps
    passes 90%: its gradients are small from there because it has learnt. A regression does not end.
    """
    steps = runs.steps(arms[0], probe)[None, :]
    never = np.full(len(seeds), np.inf)
    ends = [first_above(runs, arm, ENDED, seeds) if is_classifier(runs, arm) else never for arm in arms]
    return (steps >= learning_starts(runs, arms, seeds)[:, None]) & (steps <= np.min(ends, axis=0)[:, None])


def progress_text(runs: RunTable, arm: RunConfig, name: str) -> str:
    """How far a variant had trained, in words, and how many of its runs never learnt or diverged."""
    count = len(runs.seeds(arm))
    if is_classifier(runs, arm):
        dead = int(np.isinf(left_chance(runs, arm)).sum())
        text = f"{name}: final training accuracy {100 * final_accuracy(runs, arm).mean():.0f}%"
    else:
        left = loss_fell(runs, arm)
        dead = int((left >= 1).sum())
        text = f"{name}: last loss {np.median(left):.2g} of the first"
    faults = {"dead": dead, "diverged": runs.diverged(arm)}
    return text + "".join(f", {number} of {count} {fault}" for fault, number in faults.items() if number)


def smooth(values: Floats, window: int = WINDOW) -> Floats:
    """The mean over `window` neighbouring steps, fewer at the ends, of values of shape (seeds, steps).

    Example:
        >>> smooth(np.array([[0.0, 3.0, 6.0]]), window=3)
        array([[1.5, 3. , 4.5]])
    """
    half = window // 2
    steps = np.arange(values.shape[1])
    low, high = np.maximum(steps - half, 0), np.minimum(steps + half + 1, len(steps))
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return (sums[:, high] - sums[:, low]) / (high - low)
