"""Student's t for whoever looks again: limits that pay for each look, the interval and the p-value that they give."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clinometer.results.sequential import AT_TOTAL, TOTALS, increment, nested, p_value, spent
from clinometer.results.statistics import Interval

_PATHS = 400_000
_FEWEST = 50  # paths beyond a limit: with fewer its Monte Carlo error is above 14% of what it spends


def t_limit(looks: Sequence[int]) -> float:
    """What |t| must reach at the last of some looks; it is Student's t for one look.

    The probability that normal samples reach the limit there, not having reached that of any look before, is
    0.028 · (spent(n) − spent(n of the look before)).

    Args:
        looks: Numbers of seeds, increasing, from 2 on.
    Cost: for several looks 0.1 s each, once; a limit is kept for the process. It is simulated, from random numbers that
        are the same everywhere, with an error of about 1%.
    Source: Lan and DeMets (1983), Discrete sequential boundaries for clinical trials; for t, Jennison and Turnbull
        (1991), Exact calculations for sequential t, χ² and F tests.

    Example:
        >>> round(t_limit([3]), 2), round(t_limit([3, 5]), 1)
        (8.36, 5.1)
    """
    return float(_limits(tuple(looks))[AT_TOTAL])


def t_interval(samples: ArrayLike, looks: Sequence[int] = ()) -> Interval:
    """The mean of the samples and an interval that pays for the looks: mean ± limit · s/√n.

    Of all intervals at all looks together, one or more misses the mean in at most 5% of studies with normal samples.

    Args:
        samples: One per seed, shape (n,).
        looks: Numbers of seeds, increasing, that were looked at before; each smaller than n.

    Example:
        >>> once, again = t_interval([1.0, 2.0, 3.0, 4.0, 5.0]), t_interval([1.0, 2.0, 3.0, 4.0, 5.0], [3])
        >>> f"{once.low:.1f} to {once.high:.1f}; after a look at three, {again.low:.1f} to {again.high:.1f}"
        '0.3 to 5.7; after a look at three, -0.6 to 6.6'
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
    interval does. For a first look it is Student's p · 0.05/(0.028 · spent(n)), exactly.

    Args:
        samples: One per seed, shape (n,).
        bound: The mean that is tested.
        looks: As for `t_interval`.

    Example:
        >>> round(t_p([1.0, 2.0, 3.0], 0.0), 3)  # Student's is 0.074
        0.265
    """
    from scipy import stats

    mean, error, n = _mean_and_error(samples)
    if not math.isfinite(error) or math.isnan(bound):
        return math.nan if math.isnan(error) else 1.0
    t = abs(mean - bound) / error if error else (math.inf if mean != bound else 0.0)
    looks = (*looks, n)
    return p_value(2 * float(stats.t.sf(t, n - 1)) / increment(looks), t >= _limits(looks))


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


@lru_cache(maxsize=1024)
def _limits(looks: tuple[int, ...]) -> NDArray[np.float64]:
    """The limit of |t| at the last look for each of `TOTALS`, decreasing."""
    from scipy import stats

    alone = stats.t.isf(np.minimum(TOTALS * increment(looks), 1) / 2, looks[-1] - 1)  # if no other look crossed
    if len(looks) == 1:
        return alone
    found = simulated_limits(looks, TOTALS[:, None] * [spent(n) for n in looks])[:, -1]
    return nested(np.minimum(found, alone))  # a path that crossed before need not be kept from crossing now


def simulated_limits(looks: tuple[int, ...], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Limits of |t| at each look, shape (e, k), from the simulated paths that reached none before.

    Args:
        looks: k numbers of samples, increasing.
        errors: What may be spent by each look, shape (e, k), each row increasing. A look that may spend too little for
            the simulation has an infinite limit.
    """
    statistics = _paths(looks)
    order = [np.argsort(-values) for values in statistics]
    limits = np.full(errors.shape, np.inf)
    for row, spendings in enumerate(errors):
        alive, crossed = np.ones(_PATHS, dtype=bool), 0
        for look, (ranked, values) in enumerate(zip(order, statistics, strict=True)):
            count = int(spendings[look] * _PATHS) - crossed
            candidates = ranked[: count + crossed]
            crossing = candidates[alive[candidates]][:count]
            alive[crossing] = False
            crossed += count
            if count >= _FEWEST:
                limits[row, look] = values[crossing[-1]]
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
