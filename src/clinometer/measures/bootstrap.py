"""How far a mean over rows may be off, where rows were measured one after the other and neighbours are alike."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np

FEWEST = 8  # rows: the spread of fewer says little about how far their mean may be off
_RESAMPLES = 1000


def resampled_means(rows: Any, level: float, seed: int = 0) -> Any:
    """The means of resampled rows: a circular block bootstrap, in blocks of ∛n, with Student's correction for few.

    Args:
        rows: Quantities that were measured together, (quantities, n).
        level: Of the interval that is wanted.
        seed: Of the draws.

    Returns:
        (quantities, resamples).
    Source: Künsch (1989), Annals of Statistics 17; Politis & Romano (1992) for the circle.

    Example:
        >>> means = resampled_means(np.arange(27.0)[None], 0.95)
        >>> means.shape, bool(means.min() < 13 < means.max())
        ((1, 1000), True)
    """
    n = rows.shape[1]
    length = max(1, round(n ** (1 / 3)))
    starts = np.random.default_rng(seed).integers(n, size=(_RESAMPLES, math.ceil(n / length), 1))
    chosen = ((starts + np.arange(length)) % n).reshape(_RESAMPLES, -1)[:, :n]
    means = rows.mean(1, keepdims=True)
    return means + _stretch(n / length, level) * (rows[:, chosen].mean(2) - means)


def ratio_of_means(means: Any) -> Any:
    """The first of two resampled means over the second; infinite where the second is not above 0."""
    return np.divide(means[0], means[1], out=np.full(means.shape[1], math.inf), where=means[1] > 0)


def interval(values: Any, level: float) -> tuple[float, float]:
    """The quantiles that hold a share `level` of the values between them.

    They are not interpolated: between a number and infinity there is none.
    """
    low = np.quantile(values, (1 - level) / 2, method="lower")
    high = np.quantile(values, (1 + level) / 2, method="higher")
    return float(low), float(high)


def _stretch(blocks: float, level: float) -> float:
    """By what to multiply the spread of resampled means of few blocks: the bias of the variance, and Student's t."""
    freedom = blocks - 1
    z = NormalDist().inv_cdf((1 + level) / 2)
    return math.sqrt(blocks / freedom) * (1 + (z * z + 1) / (4 * freedom))
