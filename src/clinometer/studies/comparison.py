"""Comparisons: the samples that a claim rests on, the bounds within which it holds, and the unit in which to say it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clinometer.readable.results import readable

Method = Literal["t", "sign"]  # Student's t for the mean; the exact sign test for the median, which may be infinite


@dataclass(frozen=True)
class Unit:
    """How a number on the scale on which samples are compared is told to people."""

    name: str = ""  # "factor", "percentage points", "steps"; empty where samples are told as they are
    shown: Callable[[float], float] = field(default=float, compare=False)


AS_MEASURED = Unit()
FACTOR = Unit("factor", lambda log: math.inf if log >= 300 else 10.0**log)  # of a difference of log10
RELATIVE = Unit("relative", FACTOR.shown)  # of the log10 of an error, in units of what it is an error of
POINTS = Unit("percentage points", lambda share: 100 * share)  # of a difference of shares
PERCENT = Unit("%", lambda share: 100 * share)
STEPS = Unit("steps")


def points_at(reference: float) -> Unit:
    """Percentage points, of a difference of log odds between two accuracies.

    A difference x is told as 100 · (expit(reference + x) − expit(reference)): how far the accuracy is from that of the
    other arm. It never leaves [0, 100] when added to it.

    Args:
        reference: The mean log odds of the other arm's accuracy, from `clinometer.results.statistics.logit`.

    Example:
        >>> unit = points_at(0.0)  # the other arm is right in half of its answers
        >>> unit.name, round(unit.shown(1.0), 1), round(unit.shown(1e9), 1)
        ('percentage points', 23.1, 50.0)
    """
    return Unit(POINTS.name, lambda difference: 100 * (_expit(reference + difference) - _expit(reference)))


@readable
@dataclass(frozen=True)
class Comparison:
    """The part of a claim that the centre of some samples lies within bounds.

    It holds where the whole interval of the centre lies between `low` and `high`, fails where the whole interval lies
    outside, and is undecided otherwise.
    """

    name: str
    samples: tuple[float, ...]  # one per seed, on the scale on which they are compared
    low: float = -math.inf
    high: float = math.inf
    unit: Unit = AS_MEASURED
    method: Method = "t"


def above(
    name: str, samples: ArrayLike, bound: float = 0.0, unit: Unit = AS_MEASURED, method: Method = "t"
) -> Comparison:
    """The part "the centre is larger than `bound`".

    Args:
        name: What is compared.
        samples: One per seed, shape (n,).
        bound: 0 for a difference; minus a margin for "not smaller by more than".
        unit: In which the effect is told.
        method: `t` for the mean, `sign` for the median.

    Example:
        >>> above("difference", [1.0, 1.1, 0.9]).low
        0.0
    """
    return Comparison(name, _checked(samples), low=float(bound), unit=unit, method=method)


def below(
    name: str, samples: ArrayLike, bound: float = 0.0, unit: Unit = AS_MEASURED, method: Method = "t"
) -> Comparison:
    """The part "the centre is smaller than `bound`"."""
    return Comparison(name, _checked(samples), high=float(bound), unit=unit, method=method)


def within(
    name: str, samples: ArrayLike, low: float, high: float, unit: Unit = AS_MEASURED, method: Method = "t"
) -> Comparison:
    """The part "the centre lies between `low` and `high`": equivalence, whose margin the claim's rule argues.

    It is the two one-sided tests at once.

    Source: Schuirmann (1987).
    """
    if not low < high:
        raise ValueError(f"expected low < high; found {low} and {high}.")
    return Comparison(name, _checked(samples), float(low), float(high), unit, method)


def _expit(log_odds: float) -> float:
    return (1 + math.tanh(log_odds / 2)) / 2


def _checked(samples: ArrayLike) -> tuple[float, ...]:
    values: Sequence[float] = np.asarray(samples, dtype=float).tolist()
    if np.ndim(samples) != 1 or not len(values):
        raise ValueError(f"expected one sample per seed, shape (n,); found shape {np.shape(samples)}.")
    return tuple(values)
