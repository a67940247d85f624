"""Student's t for whoever looks at some seeds, makes more, and looks again.

A fixed 95% interval misses more often than in 5% the more often one looks. Here every look is paid for: each spends a
part of an error that is given once, so that all looks together miss in at most 5%, at whatever numbers of seeds they
are taken (Lan and DeMets, 1983). `docs/statistics.md` has the price and the measured rates.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clinometer.results.statistics import Interval

LEVEL = 0.05  # what misses all looks together have at most
TOTAL = 0.04  # what planned looks spend; the rest is for whoever chooses the next look by the numbers seen
STATISTIC_VERSION = "spending 0.04 (1 - 1.5/n), version 1"  # changes whenever a verdict could change by this file

TOTALS = TOTAL * 10 ** (np.arange(-100, 66) / 50)  # for p: from 0.0004 to 0.8, with TOTAL itself
_PATHS = 400_000
_FEWEST = 50  # paths beyond a limit: with fewer its Monte Carlo error is above 14% of what it spends


def spent(n: int) -> float:
    """The share of the error that looks at up to `n` seeds may spend: 1 − 1.5/n, and none below two seeds.

    It leaves something for any number of seeds, so no largest number need be fixed before. Half is spent at 3 seeds,
    seven tenths at 5, and 92.5% at 20.

    Example:
        >>> spent(1), spent(3), spent(30)
        (0.0, 0.5, 0.95)
    """
    return 1 - 1.5 / n if n >= 2 else 0.0


def t_limit(looks: Sequence[int]) -> float:
    """What |t| must reach at the last of some looks; it is Student's t for one look.

    The probability that normal samples reach the limit there, not having reached that of any look before, is
    0.04 · (spent(n) − spent(n of the look before)).

    Args:
        looks: Numbers of seeds, increasing, from 2 on.
    Cost: for several looks 0.1 s each, once; a limit is kept for the process. It is simulated, from random numbers that
        are the same everywhere, with an error of about 1%.
    Source: Lan and DeMets (1983), Discrete sequential boundaries for clinical trials; for t, Jennison and Turnbull
        (1991), Exact calculations for sequential t, χ² and F tests.

    Example:
        >>> round(t_limit([3]), 2), round(t_limit([3, 5]), 1)
        (6.96, 4.5)
    """
    return float(_limits(tuple(looks))[_AT_TOTAL])


def t_interval(samples: ArrayLike, looks: Sequence[int] = ()) -> Interval:
    """The mean of the samples and an interval that pays for the looks: mean ± limit · s/√n.

    Of all intervals at all looks together, one or more misses the mean in at most 5% of studies with normal samples.

    Args:
        samples: One per seed, shape (n,).
        looks: Numbers of seeds, increasing, that were looked at before; each smaller than n.

    Example:
        >>> once, again = t_interval([1.0, 2.0, 3.0, 4.0, 5.0]), t_interval([1.0, 2.0, 3.0, 4.0, 5.0], [3])
        >>> f"{once.low:.1f} to {once.high:.1f}; after a look at three, {again.low:.1f} to {again.high:.1f}"
        '0.6 to 5.4; after a look at three, -0.2 to 6.2'
    """
    mean, error, n = _mean_and_error(samples)
    if math.isnan(error):
        return Interval(mean, math.nan, math.nan, n)
    if not math.isfinite(error):
        return Interval(mean, -math.inf, math.inf, n)
    margin = t_limit((*looks, n)) * error
    return Interval(mean, mean - margin, mean + margin, n)


def t_p(samples: ArrayLike, bound: float, looks: Sequence[int] = ()) -> float:
    """The two-sided p-value that the mean is `bound`, with the looks paid for.

    It is the smallest error, of those in steps of 5%, at which `t_interval` excludes the bound: at most 0.05 where the
    interval does. For a first look it is Student's p · 0.05/(0.04 · spent(n)), exactly.

    Args:
        samples: One per seed, shape (n,).
        bound: The mean that is tested.
        looks: As for `t_interval`.

    Example:
        >>> round(t_p([1.0, 2.0, 3.0], 0.0), 3)  # Student's is 0.074
        0.185
    """
    from scipy import stats

    mean, error, n = _mean_and_error(samples)
    if not math.isfinite(error) or math.isnan(bound):
        return math.nan if math.isnan(error) else 1.0
    t = abs(mean - bound) / error if error else (math.inf if mean != bound else 0.0)
    looks = (*looks, n)
    alone = 2 * float(stats.t.sf(t, n - 1)) / _increment(looks)  # the error of a look that no other one helps
    crossed = np.flatnonzero(t >= _limits(looks))
    together = float(TOTALS[crossed[0]]) if len(crossed) else 1.0
    return min(1.0, min(alone, together) * (LEVEL / TOTAL))


def _mean_and_error(samples: ArrayLike) -> tuple[float, float, int]:
    """The mean, its standard error, and n; the error is NaN if a sample is, and infinite where it cannot be known."""
    values = np.asarray(samples, dtype=float)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"expected one sample per seed, shape (n,); found shape {values.shape}.")
    if not np.isfinite(values).all():
        return math.nan, math.nan, len(values)
    with np.errstate(over="ignore", invalid="ignore"):  # a sum beyond the floats leaves no error
        mean, deviation = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.inf
    return mean, deviation / len(values) ** 0.5 if math.isfinite(deviation) else math.inf, len(values)


_AT_TOTAL = int(np.argmin(abs(TOTALS - TOTAL)))


def _increment(looks: Sequence[int]) -> float:
    """The share that the last look spends."""
    return spent(looks[-1]) - (spent(looks[-2]) if len(looks) > 1 else 0.0)


@lru_cache(maxsize=1024)
def _limits(looks: tuple[int, ...]) -> NDArray[np.float64]:
    """The limit of |t| at the last look for each of `TOTALS`, decreasing."""
    from scipy import stats

    if looks[0] < 2 or any(later <= earlier for earlier, later in pairwise(looks)):
        raise ValueError(f"expected looks at increasing numbers of seeds, from 2 on; found {list(looks)}.")
    alone = stats.t.isf(np.minimum(TOTALS * _increment(looks), 1) / 2, looks[-1] - 1)  # if no other look crossed
    if len(looks) == 1:
        return alone
    found = np.minimum(_simulated(looks), alone)  # a path that crossed before need not be kept from crossing now
    found[: _AT_TOTAL + 1] = np.maximum.accumulate(found[_AT_TOTAL::-1])[::-1]
    found[_AT_TOTAL:] = np.minimum.accumulate(found[_AT_TOTAL:])
    return found


def _simulated(looks: tuple[int, ...]) -> NDArray[np.float64]:
    """For each of `TOTALS` the limit of the last look, from the paths that crossed no limit before."""
    statistics = _paths(looks)
    order = [np.argsort(-values) for values in statistics]
    limits = np.full(len(TOTALS), np.inf)
    for which, total in enumerate(TOTALS):
        alive, crossed = np.ones(_PATHS, dtype=bool), 0
        for look, ranked, values in zip(looks, order, statistics, strict=True):
            count = int(total * spent(look) * _PATHS) - crossed
            candidates = ranked[: count + crossed]
            crossing = candidates[alive[candidates]][:count]
            alive[crossing] = False
            crossed += count
            if look == looks[-1] and count >= _FEWEST:
                limits[which] = values[crossing[-1]]
    return limits


def _paths(looks: tuple[int, ...]) -> list[NDArray[np.float64]]:
    """|t| of standard normal samples at each look; sums and sums of squares suffice between looks."""
    draw = np.random.RandomState(14)  # whose numbers NumPy promises to leave as they are (NEP 19)
    total, squares, statistics = np.zeros(_PATHS), np.zeros(_PATHS), []
    for before, n in zip((0, *looks), looks, strict=False):
        normal = draw.standard_normal(_PATHS)
        total += normal * (n - before) ** 0.5
        squares += normal**2
        if n - before > 1:
            squares += draw.chisquare(n - before - 1, _PATHS)
        variance = np.maximum(squares - total**2 / n, 1e-300) / (n - 1)
        statistics.append(np.abs(total) / np.sqrt(n * variance))
    return statistics
