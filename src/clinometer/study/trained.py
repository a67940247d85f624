"""How far an arm had trained: a network stuck at chance has a flat landscape, and must not pass for a smooth one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from clinometer.study.table import Floats, Runs

WINDOW = 9  # steps over which minibatch accuracy is averaged


def accuracy(runs: Runs, seeds: Sequence[int] | None = None, **arm: Any) -> Floats:
    """Minibatch training accuracy, shape (seeds, steps); 0 after a run diverged, which has learnt nothing more."""
    return np.nan_to_num(runs.values("train", "accuracy", seeds=seeds, **arm))


def final_accuracy(runs: Runs, seeds: Sequence[int] | None = None, **arm: Any) -> Floats:
    """Mean training accuracy over the last 10 steps, shape (seeds,)."""
    return accuracy(runs, seeds, **arm)[:, -10:].mean(1)


def left_chance(runs: Runs, seeds: Sequence[int] | None = None, *, classes: int = 10, **arm: Any) -> Floats:
    """The first step at which the accuracy over 9 steps exceeds twice chance, shape (seeds,); infinite if none does."""
    learning = smooth(accuracy(runs, seeds, **arm)) > 2 / classes
    return np.where(learning.any(1), learning.argmax(1), np.inf)


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
