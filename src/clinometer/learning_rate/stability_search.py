"""The largest rate at which short trainings are stable, by trials at fixed rates between two bounds."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from clinometer.learning_rate.fixed_rate import STEPS, FixedRate

_NARROW = math.sqrt(2.0)  # the ratio of two bounds at which the search ends
_DOWN = 4.0  # how far to go down where no rate was stable yet


@dataclass(frozen=True)
class StabilitySearch:
    """The trials, and between which of them the largest stable rate lies."""

    trials: tuple[FixedRate, ...]
    low: float  # the largest stable rate below the unstable ones; 0 where none was stable
    high: float  # the smallest unstable rate, or where a rising rate has blown the loss up

    @property
    def middle(self) -> float:
        """The estimate."""
        return math.sqrt(self.low * self.high)


def stability_search(
    train: Callable[[float], FixedRate], first: float, highest: float, passes: float
) -> StabilitySearch:
    """Halve the ratio of the bounds by each trial, until they are within √2 or the passes are spent.

    Args:
        train: Trains at a rate.
        first: The rate to begin with.
        highest: A rate that is unstable.
        passes: Forward-backward passes that may be spent.

    Example:
        >>> def train(rate):
        ...     return FixedRate(rate, end=0.5, stable=rate < 0.3)
        >>> found = stability_search(train, first=0.1, highest=1.0, passes=100)
        >>> round(found.low, 2), round(found.high, 2)
        (0.24, 0.32)
    """
    low, high, rate = 0.0, highest, first
    found: list[FixedRate] = []
    while passes >= STEPS and (low == 0 or high / low > _NARROW):
        trial = train(rate)
        passes -= trial.steps
        found.append(trial)
        low, high = (max(low, rate), high) if trial.stable else (low, min(high, rate))
        rate = math.sqrt(low * high) if low else high / _DOWN
    return StabilitySearch(tuple(found), low, high)
