"""The centre of a comparison's samples, with an interval and a p-value that pay for every look that was taken."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.results.sequential_sign import sign_interval, sign_p
from clinometer.results.sequential_t import t_interval, t_p
from clinometer.results.statistics import Interval
from clinometer.studies.comparison import Comparison

NOTHING = Interval(math.nan, math.nan, math.nan, 0)
_METHODS = {"t": (t_interval, t_p), "sign": (sign_interval, sign_p)}
_FEWEST_DISTINCT = 3  # with fewer the samples are counts rather than measurements, and their deviation means little


@dataclass(frozen=True)
class Estimate:
    """What the samples say."""

    interval: Interval
    p: float  # two-sided, of the end of the bounds that decides; NaN where nothing was tested
    looks: tuple[int, ...]  # this one included
    remark: str = ""


def estimate(comparison: Comparison, looks: Sequence[int] = ()) -> Estimate:
    """Estimate the centre: the mean by Student's t, or the median by the sign test.

    Fewer than three distinct values are left to the sign test. Samples that are not finite give no estimate, unless the
    method is the sign test and they are infinite. Whoever looks at fewer seeds than before could choose which to leave
    out, so such a look decides nothing; a look at as many is the same look.

    Args:
        comparison: Its samples and bounds.
        looks: Numbers of seeds at which it was looked at before.

    Example:
        >>> from clinometer.studies.comparison import above
        >>> estimate(above("difference", [1.0, 1.0, 1.0])).remark
        'all 3 values are equal; decided by the sign test, for which the seeds are too few'
    """
    samples, n = comparison.samples, len(comparison.samples)
    taken = tuple(sorted({*looks, n} if n else set(looks)))
    if not samples:
        return Estimate(NOTHING, math.nan, taken)
    method, remark = _method(comparison)
    interval_of, p_of = _METHODS[method]
    paid = [look for look in taken if 2 <= look < n]
    found = interval_of(samples, paid)
    if n < taken[-1] and not math.isnan(found.low):
        unknown = Interval(found.value, -math.inf, math.inf, n)
        return Estimate(unknown, math.nan, taken, f"there was a look at {taken[-1]} seeds: one at {n} decides nothing")
    if method == "sign" and n > 1 and found.low == -math.inf and found.high == math.inf:
        remark.append("decided by the sign test, for which the seeds are too few")
    elif method != comparison.method:
        remark.append("decided by the sign test")
    if found.low == found.high:
        remark.append("the interval has no width")
    ends = [p_of(samples, end, paid) for end in _ends_that_decide(comparison, found.value)]
    return Estimate(found, max(ends, default=math.nan), taken, "; ".join(remark))


def _method(comparison: Comparison) -> tuple[str, list[str]]:
    """By which method the samples are judged, and what is to be said of them."""
    samples = np.array(comparison.samples)
    lost = int(np.isnan(samples).sum() if comparison.method == "sign" else (~np.isfinite(samples)).sum())
    if lost:
        return comparison.method, [f"{lost} of {len(samples)} samples {'is' if lost == 1 else 'are'} not finite"]
    distinct = len(np.unique(samples))
    if len(samples) == 1 or distinct >= min(_FEWEST_DISTINCT, len(samples)):
        return comparison.method, []
    return "sign", [f"all {len(samples)} values are equal" if distinct == 1 else f"{distinct} distinct values"]


def _ends_that_decide(comparison: Comparison, value: float) -> list[float]:
    """Those that a centre outside the bounds is beyond; of one that is inside both, since both must be excluded."""
    ends = [end for end in (comparison.low, comparison.high) if math.isfinite(end)]
    beyond = [end for end in ends if value <= comparison.low == end or value >= comparison.high == end]
    return beyond or ends
