"""The sign test for whoever looks again, and the median's interval that goes with it.

It supposes nothing of how samples are distributed, and an infinite one, of what had not happened when a run ended,
counts like any other. Its price: six seeds decide nothing, whatever they say, and seven only if all agree.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clinometer.results.sequential import AT_TOTAL, TOTALS, increment, nested, p_value, spent
from clinometer.results.statistics import Interval


def sign_interval(samples: ArrayLike, looks: Sequence[int] = ()) -> Interval:
    """The median of the samples, and an interval between two of them that pays for the looks.

    Of all intervals at all looks together, one or more misses the median in at most 5% of studies, however samples are
    distributed. It is infinite below seven samples, and NaN if a sample is.

    Args:
        samples: One per seed, shape (n,); they may be infinite.
        looks: Numbers of seeds, increasing, that were looked at before; each smaller than n.
    Cost: the law of how many samples lie below the median, exactly: binomial sums.
    Source: Thompson (1936) for one look; spending as in `clinometer.results.sequential`.

    Example:
        >>> found = sign_interval([2.0, 3.0, 5.0, 6.0, 8.0, 9.0, float("inf")])
        >>> found.value, found.low, found.high
        (6.0, 2.0, inf)
    """
    values = np.sort(_checked(samples))
    n = len(values)
    if np.isnan(values).any():
        return Interval(math.nan, math.nan, math.nan, n)
    cut = sign_limit((*looks, n)) if n > 1 else -1
    low, high = (float(values[cut]), float(values[n - 1 - cut])) if cut >= 0 else (-math.inf, math.inf)
    return Interval(float(values[(n - 1) // 2] + values[n // 2]) / 2, low, high, n)


def sign_p(samples: ArrayLike, bound: float, looks: Sequence[int] = ()) -> float:
    """The two-sided p-value that the median is `bound`, with the looks paid for; see `clinometer.results.sequential_t`.

    For a first look it is the sign test's p · 0.05/(0.028 · spent(n)); samples at the bound count against either side.

    Example:
        >>> round(sign_p([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], 0.0), 3)  # the sign test's is 2/2⁸
        0.017
    """
    from scipy import stats

    values = _checked(samples)
    n = len(values)
    if np.isnan(values).any() or math.isnan(bound):
        return math.nan
    if n < 2:
        return 1.0
    fewer = min(int((values <= bound).sum()), int((values >= bound).sum()))
    looks = (*looks, n)
    return p_value(2 * float(stats.binom.cdf(fewer, n, 0.5)) / increment(looks), -fewer >= _limits(looks))


def sign_limit(looks: Sequence[int]) -> int:
    """How few samples may lie beyond the bound for the last of some looks to decide; -1 if it cannot decide.

    What the looks before could not spend, since a count is a whole number, is spent here.

    Example:
        >>> sign_limit([5]), sign_limit([8]), sign_limit([5, 8, 20])
        (-1, 0, 4)
    """
    return -int(_limits(tuple(looks))[AT_TOTAL])


@lru_cache(maxsize=1024)
def _limits(looks: tuple[int, ...]) -> NDArray[np.float64]:
    """Minus the limit of the last look, for each of `TOTALS`."""
    increment(looks)  # refuses looks that do not increase
    return nested(np.array([-_limit(looks, total) for total in TOTALS], dtype=float))


def _limit(looks: tuple[int, ...], total: float) -> int:
    """The limit of the last look from the exact law of how many samples lie below the median."""
    from scipy import stats

    law, crossed, limit = np.ones(1), 0.0, -1  # law: of the counts of those that crossed no limit yet
    for before, n in zip((0, *looks), looks, strict=False):
        law = np.convolve(law, stats.binom.pmf(np.arange(n - before + 1), n - before, 0.5))
        both = np.cumsum(law + law[::-1])[: n // 2]  # that either side has at most so many
        limit = int(np.searchsorted(both, total * spent(n) - crossed, side="right")) - 1
        if limit >= 0:
            crossed += float(both[limit])
            law[: limit + 1] = law[n - limit :] = 0.0
    return limit


def _checked(samples: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(samples, dtype=float)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"expected one sample per seed, shape (n,); found shape {values.shape}.")
    return values
