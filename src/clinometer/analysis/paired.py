"""Comparisons of two variants seed by seed: equal seeds start from equal weights and see equal batches.

Positive quantities are compared by log10 of their ratio, so that twice and half weigh the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from clinometer.results.run_table import Floats
from clinometer.training.config import RunConfig

Measure = Callable[[RunConfig, list[int]], Floats]  # of a variant and its seeds, shape (seeds, measured steps)


def log_ratio(ours: Floats, others: Floats) -> Floats:
    """log10(ours / others), seed by seed.

    Example:
        >>> log_ratio(np.array([10.0, 1.0]), np.array([1.0, 100.0]))
        array([ 1., -2.])
    """
    return np.log10(ours) - np.log10(others)


def mean_difference(ours: Floats, others: Floats, where: np.ndarray[Any, np.dtype[np.bool_]]) -> Floats:
    """The mean of ours − others over those steps that `where` chooses, shape (seeds,); NaN where it chooses none.

    Args:
        ours: Shape (seeds, steps), as are the other two.
        others: What is taken away.
        where: Of booleans.
    """
    return (ours - others).sum(1, where=where) / where.sum(1)
