"""The law of Student's t from look to look by quadrature, and whoever chooses looks by what was seen.

None of it uses the package. With n normal samples let u = Σx / √(Σx²). Basu's theorem makes u of all n independent of
Σx², hence the u of n samples are a Markov chain: u′ = (u + w) / √(1 + w²), where w√n follows Student's t with n degrees
of freedom. Here |u| lies in bins of equal width of the normal deviate that has its tail.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

Floats = np.ndarray[Any, np.dtype[np.float64]]
_BINS = 160
_EDGES = np.linspace(0, 6, _BINS + 1)
START = 2 * (stats.norm.sf(_EDGES[:-1]) - stats.norm.sf(_EDGES[1:]))  # the law of any single |t|


def quadrature_limits(looks: Sequence[int], spent: Callable[[int], float]) -> list[float]:
    """The limit of |t| at each look, where by `n` samples the probability to have reached one is `spent(n)`."""
    law, limits = START, []
    for before, n in zip((looks[0], *looks), looks, strict=False):
        law = law @ _moved(before, n) if n > before else law
        crossing = _crossing(law, spent(n) - (spent(before) if n > before else 0))
        bin_ = int(np.argmax(crossing > 0))
        deviate = _EDGES[bin_ + 1] - crossing[bin_] * (_EDGES[1] - _EDGES[0])
        limits.append(float(stats.t.isf(stats.norm.sf(deviate), n - 1)))
        law = law * (1 - crossing)
    return limits


def worst_rate(candidates: Sequence[int], spent: Callable[[int], float]) -> float:
    """How often the best choice of looks among some numbers of samples reaches a limit, although the mean is 0.

    The limit at a look is that of the looks taken, as if they had been planned. Whoever chooses knows all limits and
    all samples so far; dynamic programming over every sequence of looks gives the choice that no other one beats.
    """

    def value(law: Floats, at: int) -> Floats:
        best = np.zeros(_BINS)
        for later in range(at + 1, len(candidates)):
            before, n = candidates[at], candidates[later]
            moved = _moved(before, n)
            crossing = _crossing(law @ moved, spent(n) - spent(before))
            best = np.maximum(best, moved @ _reached(law @ moved, crossing, later))
        return best

    def _reached(law: Floats, crossing: Floats, at: int) -> Floats:
        return crossing + (1 - crossing) * value(law * (1 - crossing), at)

    first = [_reached(START, _crossing(START, spent(n)), at) for at, n in enumerate(candidates)]
    return float(max(START @ reached for reached in first))


def worst_sign_rate(candidates: Sequence[int], limit: Callable[[Sequence[int]], int]) -> float:
    """The same for the sign test, whose state is how many samples lie below the median: exactly.

    Args:
        candidates: Numbers of samples; the first of them is looked at.
        limit: How few samples may lie on one side for the last of some looks to decide.
    """

    def reached(taken: tuple[int, ...]) -> Floats:
        n = taken[-1]
        counts = np.arange(n + 1)
        best = np.zeros(n + 1)
        for m in (m for m in candidates if m > n):
            after = reached((*taken, m))
            law = stats.binom.pmf(np.arange(m - n + 1), m - n, 0.5)
            best = np.maximum(best, [law @ after[count : count + m - n + 1] for count in counts])
        return np.where(np.minimum(counts, n - counts) <= limit(taken), 1.0, best)

    first = candidates[0]
    return float(stats.binom.pmf(np.arange(first + 1), first, 0.5) @ reached((first,)))


def _crossing(law: Floats, error: float) -> Floats:
    """The share of each bin that lies beyond the limit which `error` of the law lies beyond."""
    above = np.append(np.cumsum(law[::-1])[::-1][1:], 0)
    return np.clip((error - above) / np.maximum(law, 1e-300), 0, 1)


def _u(deviate: Floats, n: int) -> Floats:
    t = stats.t.isf(stats.norm.sf(deviate), n - 1)
    return np.sqrt(n) * t / np.sqrt(t**2 + n - 1)


@cache
def _moved(n: int, later: int) -> Floats:
    """The probability of each bin after `later` samples, given each bin after `n`."""
    if later > n + 1:
        return _moved(n, later - 1) @ _moved(later - 1, later)
    u = _u((_EDGES[1:] + _EDGES[:-1]) / 2, n)[:, None]
    edges = np.append(_u(_EDGES[1:-1], n + 1), np.sqrt(n + 1) + 1)
    largest, angle = np.sqrt(1 + u**2), np.arctan2(1, u)  # u′ = largest · cos(ω − angle), tan ω = w

    def beyond(edge: Floats) -> Floats:
        width = np.arccos(np.clip(edge / largest, -1, 1))
        law = [
            stats.t.cdf(np.sqrt(n) * np.tan(np.clip(end, -np.pi / 2 + 1e-12, np.pi / 2 - 1e-12)), n)
            for end in (angle - width, angle + width)
        ]
        return np.where(edge <= -largest, 1.0, np.where(edge >= largest, 0.0, law[1] - law[0]))

    inside = beyond(-edges) - beyond(edges)
    return np.diff(inside, axis=1, prepend=0)
