"""The interval of a share whose trials come in clusters that are alike inside."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from clinometer.results.statistics import Interval


def share(hits: Sequence[bool], clusters: Sequence[Hashable], level: float = 0.95) -> Interval:
    """A share of successes with its exact binomial interval, wider where successes come in clusters.

        deff = max(1, v_c / (p (1 − p) / (n − 1))),    v_c = C/(C − 1) · Σ_c (h_c − p n_c)² / n²

    Then the interval of Clopper and Pearson is taken with n/deff trials and p n/deff successes. Of a share of 0 or 1 no
    cluster is known to differ from another, and the binomial interval stands.

    Args:
        hits: Whether each trial was a success, (n,).
        clusters: To which cluster each trial belongs, (n,).
        level: Its nominal coverage.

    Returns:
        Shares between 0 and 1; NaN without a trial. `n` counts the trials.
    Source: Clopper & Pearson (1934); Korn & Graubard (1998), Confidence intervals for proportions with small expected
        number of positive counts estimated from survey data.

    Example:
        >>> found = share([True] * 9 + [False], range(10))
        >>> f"{found.value} [{found.low:.3f}, {found.high:.3f}]"
        '0.9 [0.555, 0.997]'
    """
    from scipy import stats

    values = np.asarray(hits, dtype=float)
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    n, p = len(values), float(values.mean())
    trials, tail = n / design_effect(hits, clusters), (1 - level) / 2
    successes = p * trials
    low = 0.0 if p == 0 else float(stats.beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if p == 1 else float(stats.beta.ppf(1 - tail, successes + 1, trials - successes))
    return Interval(p, low, high, n)


def design_effect(hits: Sequence[bool], clusters: Sequence[Hashable]) -> float:
    """By how much the variance of a share exceeds that of as many independent trials; at least 1.

    Example:
        >>> design_effect([True, True, False, False], "aabb") > 1, design_effect([True, False, True, False], "aabb")
        (True, 1.0)
    """
    values: np.ndarray[Any, np.dtype[np.float64]] = np.asarray(hits, dtype=float)
    p, n = float(values.mean()), len(values)
    sums: dict[Hashable, float] = {}
    for value, cluster in zip(values - p, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + float(value)
    if p in (0, 1) or len(sums) < 2:
        return 1.0
    between = len(sums) / (len(sums) - 1) * sum(each**2 for each in sums.values()) / n**2
    return max(1.0, between / (p * (1 - p) / (n - 1)))
