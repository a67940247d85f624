"""The largest rate at which short trainings are stable, by trials at fixed rates that close in on it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from clinometer.learning_rate.fixed_rate import STEPS, FixedRate

_NARROW = math.sqrt(2.0)  # the ratio of two bounds at which the search ends
_FAR = 2.0**1.5  # how far to go up where all rates were stable, or down where none was


@dataclass(frozen=True)
class StabilitySearch:
    """The trials, and between which rates the largest stable one lies."""

    trials: tuple[FixedRate, ...]
    low: float  # the largest stable rate below the unstable ones; 0 where none was stable
    high: float  # the smallest unstable one; infinite where none was unstable

    @property
    def middle(self) -> float:
        """The estimate."""
        return math.sqrt(self.low * self.high)


def stability_search(train: Callable[[float], FixedRate], first: float, passes: float) -> StabilitySearch:
    """Bracket the end of stability by factors of 2.8, then halve the ratio by each trial, until it is √2.

    Args:
        train: Trains at a rate.
        first: The rate to begin with.
        passes: Forward-backward passes that may be spent.

    Example:
        >>> def train(rate):
        ...     return FixedRate(rate, end=0.5, stable=rate < 0.3)
        >>> found = stability_search(train, first=0.1, passes=100)
        >>> round(found.low, 2), round(found.high, 2)
        (0.28, 0.37)
    """
    low, high, rate = 0.0, math.inf, first
    found: list[FixedRate] = []
    while passes >= STEPS and not (low and high / low <= _NARROW):
        trial = train(rate)
        passes -= trial.steps
        found.append(trial)
        low, high = (max(low, rate), high) if trial.stable else (low, min(high, rate))
        rate = low * _FAR if high == math.inf else high / _FAR if low == 0 else math.sqrt(low * high)
    return StabilitySearch(tuple(found), low, high)
