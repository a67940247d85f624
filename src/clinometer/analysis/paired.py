"""Comparisons of two variants seed by seed: equal seeds start from equal weights and see equal batches.

Positive quantities are compared by log10 of their ratio, so that twice and half weigh the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clinometer.results.run_table import Floats
from clinometer.training.config import RunConfig

Bools = np.ndarray[Any, np.dtype[np.bool_]]
ENOUGH = 0.5  # of the seeds must have what is compared
Measure = Callable[[RunConfig, list[int]], Floats]  # of a variant and its seeds, shape (seeds, measured steps)


def log_ratio(ours: Floats, others: Floats) -> Floats:
    """log10(ours / others), seed by seed.

    Example:
        >>> log_ratio(np.array([10.0, 1.0]), np.array([1.0, 100.0]))
        array([ 1., -2.])
    """
    return np.log10(ours) - np.log10(others)


def mean_difference(ours: Floats, others: Floats, where: Bools) -> Floats:
    """The mean of ours − others over those steps that `where` chooses, shape (seeds,); NaN where it chooses none.

    Args:
        ours: Shape (seeds, steps), as are the other two.
        others: What is taken away.
        where: Of booleans.
    """
    return (ours - others).sum(1, where=where) / where.sum(1)


def of_most_seeds(values: Floats, has: ArrayLike) -> Floats:
    """The values of those seeds that have one, if they are at least half; else all, with NaN for those that have none.

    A comparison that some seeds do not allow speaks for the others, unless these are few.

    Args:
        values: Shape (seeds,).
        has: Which seeds have one.

    Example:
        >>> of_most_seeds(np.array([1.0, 9.0, 2.0]), np.array([True, False, True]))
        array([1., 2.])
        >>> of_most_seeds(np.array([1.0, 9.0, 2.0]), np.array([True, False, False]))
        array([ 1., nan, nan])
    """
    chosen = np.asarray(has, dtype=bool)
    return values[chosen] if np.mean(chosen) >= ENOUGH else np.where(chosen, values, np.nan)
