"""How far an arm had trained: a network stuck at chance has a flat landscape, and must not pass for a smooth one."""

from collections.abc import Sequence

import numpy as np

from clinometer.results.runs import Floats, Runs
from clinometer.training.config import RunConfig

WINDOW = 9  # steps over which minibatch accuracy is averaged


def accuracy(runs: Runs, arm: RunConfig, seeds: Sequence[int] | None = None) -> Floats:
    """Minibatch training accuracy, shape (seeds, steps); 0 after a run diverged, which has learnt nothing more."""
    return np.nan_to_num(runs.values(arm, "train", "accuracy", seeds))


def final_accuracy(runs: Runs, arm: RunConfig, seeds: Sequence[int] | None = None) -> Floats:
    """Mean training accuracy over the last 10 steps, shape (seeds,)."""
    return accuracy(runs, arm, seeds)[:, -10:].mean(1)


def left_chance(runs: Runs, arm: RunConfig, seeds: Sequence[int] | None = None, *, classes: int = 10) -> Floats:
    """The first step at which the accuracy over 9 steps exceeds twice chance, shape (seeds,); infinite if none does."""
    return first_above(runs, arm, 2 / classes, seeds)


def first_above(runs: Runs, arm: RunConfig, level: float, seeds: Sequence[int] | None = None) -> Floats:
    """The first step at which the accuracy over 9 steps exceeds a level, shape (seeds,); infinite if none does."""
    above = smooth(accuracy(runs, arm, seeds)) > level
    return np.where(above.any(1), above.argmax(1), np.inf)


def loss_fell(runs: Runs, arm: RunConfig, seeds: Sequence[int] | None = None) -> Floats:
    """Last training loss over the first, shape (seeds,); infinite where a run diverged. For regressions."""
    losses = runs.values(arm, "train", "loss", seeds)
    return np.nan_to_num(losses[:, -1] / losses[:, 0], nan=np.inf, posinf=np.inf)


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
