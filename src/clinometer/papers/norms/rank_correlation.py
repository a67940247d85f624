"""The rank correlation of two quantities over norms, with an interval for other norms and other seeds.

    ρ = Pearson's correlation of the ranks of x̄_i and ȳ_i,   x̄_i, ȳ_i the means of norm i over seeds

Every norm is measured with the same seeds, so both are drawn anew with replacement, norms and seeds apart: a norm is
drawn with all its seeds, and a seed with all its norms (Owen, 2007, calls it the pigeonhole bootstrap).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from clinometer.results.run_table import Floats

DRAWS = 4_000
_BLOCK = 500  # draws at a time
Over = Literal["norms and seeds", "seeds"]
Generator = np.random.Generator


@dataclass(frozen=True)
class Correlation:
    """A rank correlation, its percentile interval at 95%, and a two-sided p of its being 0."""

    value: float
    low: float
    high: float
    p: float
    norms: int  # over how many


def spearman(x: Floats, y: Floats) -> Floats:
    """Spearman's rank correlation along the last axis; NaN where all values of one are equal.

    Example:
        >>> float(spearman(np.array([1.0, 2.0, 3.0]), np.array([0.1, 9.0, 10.0])))
        1.0
    """
    from scipy import stats

    ranks = [np.asarray(stats.rankdata(values, axis=-1)) for values in (x, y)]
    a, b = (each - each.mean(-1, keepdims=True) for each in ranks)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))


def kendall(x: Floats, y: Floats) -> Floats:
    """Kendall's τ_b along the last axis; NaN where all values of one are equal.

    Example:
        >>> float(kendall(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))).__round__(3)
        0.333
    """
    one, other = np.triu_indices(x.shape[-1], 1)
    a, b = (np.sign(values[..., one] - values[..., other]) for values in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))


def rank_correlation(
    x: Floats, y: Floats, statistic: Any = spearman, over: Over = "norms and seeds", draws: int = DRAWS
) -> Correlation:
    """The rank correlation of the means over seeds.

    Args:
        x: (norms, seeds); NaN where a seed has no value. A norm without any is left out.
        y: The same of the other quantity.
        statistic: `spearman` or `kendall`.
        over: What is drawn anew: norms and seeds, for what other norms of this kind and other seeds would say; or seeds
            alone, for what other seeds would say of these norms.
        draws: How often. The generator's seed is fixed, so that equal numbers have equal intervals.

    Returns:
        NaN throughout with fewer than three norms.

    Example:
        >>> x = np.arange(18.0)[:, None] + np.zeros(4)
        >>> found = rank_correlation(x, x)
        >>> found.value, found.low > 0.99, found.norms
        (1.0, True, 18)
    """
    has = np.isfinite(x).any(1) & np.isfinite(y).any(1)
    x, y = x[has], y[has]
    if len(x) < 3:
        return Correlation(np.nan, np.nan, np.nan, np.nan, len(x))
    every = np.ones((1, x.shape[1]))
    value = float(statistic(_means(x, every), _means(y, every))[0])
    generator = np.random.default_rng(0)
    drawn = [_drawn(x, y, statistic, over, min(_BLOCK, draws - first), generator) for first in range(0, draws, _BLOCK)]
    found = np.concatenate(drawn)
    found = found[np.isfinite(found)]
    if not len(found):
        return Correlation(value, np.nan, np.nan, np.nan, len(x))
    low, high = np.quantile(found, [0.025, 0.975])
    p = 2 * min((found <= 0).mean(), (found >= 0).mean())
    return Correlation(value, float(low), float(high), float(min(1.0, max(p, 2 / len(found)))), len(x))


def _drawn(x: Floats, y: Floats, statistic: Any, over: Over, draws: int, generator: Generator) -> Floats:
    """The statistic of so many draws, shape (draws,)."""
    norms, seeds = x.shape
    weights = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    means = [_means(values, weights.astype(float)) for values in (x, y)]
    if over == "norms and seeds":
        chosen = generator.integers(norms, size=(draws, norms))
        means = [np.take_along_axis(values, chosen, axis=1) for values in means]
    lost = ~np.isfinite(means).all((0, 2))  # a draw in which a norm has no seed with a value
    found = statistic(*(np.nan_to_num(values) for values in means))
    return np.where(lost, np.nan, found)


def _means(values: Floats, weights: Floats) -> Floats:
    """The weighted means over those seeds that have a value, (draws, norms), from (norms, seeds) and (draws, seeds)."""
    has = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ np.where(has, values, 0.0).T) / (weights @ has.T.astype(float))
