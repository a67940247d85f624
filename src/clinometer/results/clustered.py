"""Intervals of a share and of a rate whose observations come in clusters that are alike inside."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from clinometer.results.statistics import Interval

NOTHING = Interval(float("nan"), float("nan"), float("nan"), 0)


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
        return NOTHING
    n, p = len(values), float(values.mean())
    trials, tail = n / design_effect(hits, clusters), (1 - level) / 2
    successes = p * trials
    low = 0.0 if p == 0 else float(stats.beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if p == 1 else float(stats.beta.ppf(1 - tail, successes + 1, trials - successes))
    return Interval(p, low, high, n)


def rate(counts: Sequence[int], exposures: Sequence[float], per: float, level: float = 0.95) -> Interval:
    """A rate of events with its exact Poisson interval, wider where some clusters have more events than chance allows.

        φ = max(1, Σ_c (k_c − r t_c)² / (r t_c) / (C − 1)),    r = Σ k_c / Σ t_c

    Then Garwood's interval is taken with Σ k_c/φ events in an exposure of Σ t_c/φ.

    Args:
        counts: Events of each cluster, (C,).
        exposures: How long each was watched, (C,).
        per: The exposure that the rate is told for, such as 10,000 steps.
        level: Its nominal coverage.

    Returns:
        Events per `per`; NaN without exposure. `n` is the whole exposure, rounded.
    Source: Garwood (1936), Fiducial limits for the Poisson distribution; Wedderburn (1974) for φ.

    Example:
        >>> found = rate([0, 0, 0], [10_000, 10_000, 10_000], per=10_000)
        >>> f"{found.value} [{found.low}, {found.high:.3f}]"
        '0.0 [0.0, 1.230]'
    """
    from scipy import stats

    events, watched = np.asarray(counts, dtype=float), np.asarray(exposures, dtype=float)
    events, watched = events[watched > 0], watched[watched > 0]
    if not len(events):
        return NOTHING
    total, exposure = float(events.sum()), float(watched.sum())
    expected = total / exposure * watched
    excess = float(((events - expected) ** 2 / expected).sum()) / max(len(events) - 1, 1) if total else 1.0
    dispersion, tail = max(1.0, excess), (1 - level) / 2
    scale = per * dispersion / exposure
    low = float(stats.gamma.ppf(tail, total / dispersion)) * scale if total else 0.0
    high = float(stats.gamma.ppf(1 - tail, total / dispersion + 1)) * scale
    return Interval(total / exposure * per, low, high, round(exposure))


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
