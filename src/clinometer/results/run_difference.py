"""Whether a difference is beyond the noise: over the steps of two runs, or over several runs of two kinds.

Two runs give one series of paired differences. Its neighbours are alike, so its steps count for fewer, and what it
says is of these two runs alone: which part of it another seed would bring again, one seed a side cannot tell. Several
runs a side are compared by what each comes to.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

PARTS = 6  # of the steps, one after the other; the spread of their medians says how far their mean may be off
LEAST_STEPS = 24  # four to a part
LEAST_WORTH = 18.0  # independent steps that they must be worth: three to a part
_MOST = 0.999  # of the correlation of neighbours


@dataclass(frozen=True)
class Difference:
    """A difference with its 95% interval, and the p-value of there being none.

    Where there is no interval, `low`, `high` and `p` are NaN, and `reason` says why.
    """

    value: float
    low: float
    high: float
    p: float
    n: int  # steps, or runs of the side that has fewer
    worth: float  # as many independent steps or runs as they count for
    reason: str = ""


def over_steps(differences: ArrayLike) -> Difference:
    """The difference of two runs, from their paired differences at the steps that both measured, in order.

    The steps are cut into six parts, one after the other. The difference is the mean of the parts' medians, and its
    interval Student's t on these six: long parts are nearly independent, whatever the noise within them, and t over few
    groups stays valid where their spreads differ. A median counts an infinite value as a step, not as infinity. There
    is no interval for fewer than 24 steps, nor where they are worth fewer than 18 independent ones,
    n (1 − φ) / (1 + φ), with φ the correlation of neighbours beside a straight trend, corrected for its bias. How often
    it is wrong: docs/compare.md.

    Args:
        differences: Shape (n,); NaN, where a run has no number, is left out.
    Source: Ibragimov & Müller (2010), t-statistic based correlation and heterogeneity robust inference; Kendall (1954)
        for the bias of φ.

    Example:
        >>> noise = np.random.default_rng(0).standard_normal(60)
        >>> found = over_steps(noise - 2)
        >>> found.low < -2 < found.high < 0, found.p < 0.001
        (True, True)
        >>> over_steps(noise[:20]).reason
        '20 steps are too few, 24 are needed'
        >>> over_steps(noise.cumsum()).reason
        '60 steps are so alike that they count for 1, 18 are needed'
    """
    from scipy import stats

    given = np.asarray(differences, dtype=float)
    known = given[~np.isnan(given)]
    n = len(known)
    if not n:
        return Difference(math.nan, math.nan, math.nan, math.nan, 0, 0.0, "the runs have no step in common")
    worth = n * _share(_correlation(known))
    with np.errstate(invalid="ignore"):  # between the two infinities there is no median
        medians = np.array([np.median(part) for part in np.array_split(known, min(PARTS, n))])
        value = float(medians.mean()) if np.isfinite(medians).all() else float(np.median(known))
    if reason := _refusal(n, worth, medians):
        return Difference(value, math.nan, math.nan, math.nan, n, worth, reason)
    error = float(medians.std(ddof=1)) / math.sqrt(PARTS)
    margin = float(stats.t.ppf(0.975, PARTS - 1)) * error
    p = float(2 * stats.t.sf(abs(value) / error, PARTS - 1)) if error else float(value == 0)
    return Difference(value, value - margin, value + margin, p, n, worth)


def over_runs(base: ArrayLike, mine: ArrayLike) -> Difference:
    """The difference of the means of independent runs, `mine` less `base`, with Welch's interval.

    Args:
        base: One number per run, shape (n,).
        mine: The same of the other side, (m,).
    Source: Welch (1947), The generalization of "Student's" problem when several different population variances are
        involved.

    Example:
        >>> found = over_runs([1.0, 2.0, 3.0], [5.0, 6.0, 7.5])
        >>> f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}], p = {found.p:.3f}"
        '4.17 [1.54, 6.80], p = 0.012'
    """
    from scipy import stats

    one, other = np.asarray(base, dtype=float), np.asarray(mine, dtype=float)
    n = min(len(one), len(other))
    with np.errstate(invalid="ignore"):
        value = float(other.mean() - one.mean()) if n else math.nan
    if n < 2:
        return Difference(value, math.nan, math.nan, math.nan, n, n, "two runs a side are needed to tell their noise")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return Difference(value, math.nan, math.nan, math.nan, n, n, "a run's number is not finite")
    spreads = np.array([one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)])
    error = math.sqrt(spreads.sum())
    if not error:
        reason = (
            ""
            if value == 0
            else "the runs of each side are equal to the last digit, which tells nothing of their noise"
        )
        nothing = math.nan if reason else 0.0
        return Difference(value, nothing, nothing, math.nan if reason else 1.0, n, n, reason)
    freedom = float(spreads.sum() ** 2 / (spreads**2 / np.array([len(one) - 1, len(other) - 1])).sum())
    margin = float(stats.t.ppf(0.975, freedom)) * error
    return Difference(value, value - margin, value + margin, float(2 * stats.t.sf(abs(value) / error, freedom)), n, n)


def _refusal(n: int, worth: float, medians: Any) -> str:
    """Why there is no interval, or ""."""
    if n < LEAST_STEPS:
        return f"{n} step{' is' if n == 1 else 's are'} too few, {LEAST_STEPS} are needed"
    if worth < LEAST_WORTH:
        return f"{n} steps are so alike that they count for {max(math.floor(worth), 1)}, {LEAST_WORTH:.0f} are needed"
    if not np.isfinite(medians).all():
        return "through a sixth of the steps or more it is infinite"
    return ""


def _correlation(values: Any) -> float:
    """Of neighbours, beside a straight trend: at least 0, as alternating noise is not believed to cancel."""
    finite = values[np.isfinite(values)]
    if len(finite) < 3:
        return 0.0
    bounded = np.clip(values, finite.min(), finite.max())
    time = np.arange(len(bounded)) - (len(bounded) - 1) / 2
    rest = bounded - bounded.mean()
    rest -= (rest @ time) / (time @ time) * time
    total = float(rest @ rest)
    scale = float(np.abs(bounded).max()) * np.finfo(float).eps
    if total <= len(bounded) * scale**2:  # the same everywhere, or on a line
        return 0.0
    found = max(0.0, float(rest[1:] @ rest[:-1]) / total)
    return min(_MOST, found + (2 + 4 * found) / len(bounded))


def _share(correlation: float) -> float:
    return (1 - correlation) / (1 + correlation)
