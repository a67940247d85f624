"""Numbers over few seeds: Student's interval of a mean, log odds of accuracies, and p-values of a table of claims.

`interval` only describes. What decides a claim pays for each look and is in `sequential_t` and `sequential_sign`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; infinite with fewer than two samples, NaN if a sample is not finite.

    It is infinite, too, where the samples' deviation is beyond the floats.
    """

    value: float
    low: float
    high: float
    n: int


def interval(samples: ArrayLike, level: float = 0.95) -> Interval:
    """The mean of independent samples and its Student-t interval, mean ± t · s/√n, for one look that was planned.

    It covers what it says for normal samples; `docs/statistics.md` has what it covers for others.

    Args:
        samples: One per seed, shape (n,); for a comparison, the paired differences.
        level: Its nominal coverage.
    Source: Student (1908), The probable error of a mean.

    Example:
        >>> found = interval([1.0, 2.0, 3.0])
        >>> f"{found.value} [{found.low:.3f}, {found.high:.3f}], n = {found.n}"
        '2.0 [-0.484, 4.484], n = 3'
    """
    from scipy import stats

    values = np.asarray(samples, dtype=float)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"expected one sample per seed, shape (n,); found shape {values.shape}.")
    if not np.isfinite(values).all():
        return Interval(np.nan, np.nan, np.nan, len(values))
    with np.errstate(over="ignore", invalid="ignore"):  # a sum beyond the floats leaves no interval
        mean, deviation = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else np.inf
    if not np.isfinite(deviation):
        return Interval(mean, -np.inf, np.inf, len(values))
    margin = float(stats.t.ppf((1 + level) / 2, len(values) - 1)) * deviation / len(values) ** 0.5
    return Interval(mean, mean - margin, mean + margin, len(values))


def logit(accuracy: ArrayLike, count: int) -> NDArray[np.float64]:
    """The log odds of an accuracy, log((k + ½)/(count − k + ½)) with k = accuracy · count answers right.

    Differences of accuracies are compared on this scale: an interval there, told as accuracy again, stays in [0, 1].
    The halves keep an accuracy of 0 or 1 finite.

    Args:
        accuracy: Shares of answers that were right, of any shape; NaN stays NaN.
        count: Of how many answers each is a share.
    Source: Haldane (1956), Anscombe (1956).

    Example:
        >>> logit([0.0, 0.5, 1.0], 100).round(2).tolist()
        [-5.3, 0.0, 5.3]
    """
    right = np.asarray(accuracy, dtype=float) * count
    if count < 1 or (right < 0).any() or (right > count).any():
        raise ValueError(f"expected accuracies between 0 and 1 of at least 1 answer; found {accuracy} of {count}.")
    return np.log(right + 0.5) - np.log(count - right + 0.5)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, by Holm's step-down procedure; NaN, of what was not tested, does not count.

    Of all hypotheses that are true, one or more is rejected at an adjusted 0.05 in at most 5% of such tables, however
    they depend on each other.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.

    Example:
        >>> holm([0.01, 0.04, float("nan"), 0.03])
        [0.03, 0.06, nan, 0.06]
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)[: np.isfinite(values).sum()]  # NaN come last
    adjusted = np.full(len(values), np.nan)
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * factors))
    return adjusted.tolist()
