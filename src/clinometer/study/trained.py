"""How far an arm had trained: a network stuck at chance has a flat landscape, and must not pass for a smooth one."""

from collections.abc import Sequence

import numpy as np

from clinometer.study.config import Config
from clinometer.study.table import Floats, Runs

WINDOW = 9  # steps over which minibatch accuracy is averaged


def accuracy(runs: Runs, arm: Config, seeds: Sequence[int] | None = None) -> Floats:
    """Minibatch training accuracy, shape (seeds, steps); 0 after a run diverged, which has learnt nothing more."""
    return np.nan_to_num(runs.values(arm, "train", "accuracy", seeds))


def final_accuracy(runs: Runs, arm: Config, seeds: Sequence[int] | None = None) -> Floats:
    """Mean training accuracy over the last 10 steps, shape (seeds,)."""
    return accuracy(runs, arm, seeds)[:, -10:].mean(1)


def left_chance(runs: Runs, arm: Config, seeds: Sequence[int] | None = None, *, classes: int = 10) -> Floats:
    """The first step at which the accuracy over 9 steps exceeds twice chance, shape (seeds,); infinite if none does."""
    learning = smooth(accuracy(runs, arm, seeds)) > 2 / classes
    return np.where(learning.any(1), learning.argmax(1), np.inf)


def loss_fell(runs: Runs, arm: Config, seeds: Sequence[int] | None = None) -> Floats:
    """Last training loss over the first, shape (seeds,); infinite where a run diverged. For regressions."""
    losses = runs.values(arm, "train", "loss", seeds)
    return np.nan_to_num(losses[:, -1] / losses[:, 0], nan=np.inf, posinf=np.inf)


def first_reach(losses: Floats, levels: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """The index at which each of `losses` (seeds, steps) first comes down to each level, shape (seeds, levels).

    −1 where it never does: what matched-loss comparisons are made of.

    Example:
        >>> first_reach(np.array([[3.0, 1.0, 2.0, 0.5]]), np.array([[2.5, 0.7, 0.1]]))
        array([[ 1,  3, -1]])
    """
    below = losses[:, None, :] <= levels[:, :, None]
    return np.where(below.any(2), below.argmax(2), -1)


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
