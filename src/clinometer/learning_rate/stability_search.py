"""Where stability ends, from trials at fixed rates: what was expected before, and what each of them adds."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from clinometer.learning_rate.fixed_rate import STEPS, FixedRate

_EXPECTED = 1.0  # standard deviation of log(largest stable rate / what the rising rate tells), on the tuning half
_TRIAL = 0.5  # of log(largest stable rate / largest rate at which a trial is stable)
_FAR, _STEP = 8.0, 0.01  # logs of rates that are considered, around the expected one
_LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class StabilitySearch:
    """The trials, and what they say of the largest stable rate."""

    trials: tuple[FixedRate, ...]
    low: float  # 5% of what is possible lies below
    largest: float  # the median
    high: float  # 5% lies above


def stability_search(
    train: Callable[[float], FixedRate], expected: float, longer: float, passes: float
) -> StabilitySearch:
    """Try the rate of which it is least known whether it is stable, until the passes are spent.

    The largest stable rate of a long training, η, is expected by log η ~ N(log `expected`, 1). A short trial at the
    rate r is stable with probability Φ(log(η / (r · `longer`)) / 0.5), and each trial that was made updates what is
    expected, by Bayes' rule. The next trial is at the median over `longer`.

    Args:
        train: Trains at a rate.
        expected: The largest stable rate, as expected before.
        longer: The largest stable rate of a long training over that of a trial, in the median.
        passes: Forward-backward passes that may be spent.

    Example:
        >>> def train(rate):
        ...     return FixedRate(rate, end=0.5, stable=rate < 0.3)
        >>> found = stability_search(train, expected=0.1, longer=1.0, passes=140)
        >>> [trial.stable for trial in found.trials], round(found.low, 2), round(found.largest, 2), round(found.high, 2)
        ([True, True, False, True, True], 0.19, 0.32, 0.56)
    """
    logs = torch.arange(-_FAR, _FAR, _STEP, dtype=torch.float64)  # of the rate over the expected one
    belief = -0.5 * (logs / _EXPECTED) ** 2
    found: list[FixedRate] = []
    while passes >= STEPS:
        middle = _quantiles(logs, belief)[1]
        trial = train(expected * math.exp(middle) / longer)
        passes -= trial.steps
        found.append(trial)
        sign = 1.0 if trial.stable else -1.0
        belief += torch.special.log_ndtr(sign * (logs - middle) / _TRIAL)
    return StabilitySearch(tuple(found), *(expected * math.exp(each) for each in _quantiles(logs, belief)))


def _quantiles(logs: torch.Tensor, belief: torch.Tensor) -> list[float]:
    cumulated = torch.softmax(belief, 0).cumsum(0)
    places = torch.searchsorted(cumulated, torch.tensor(_LEVELS, dtype=torch.float64))
    return logs[places.clamp(max=len(logs) - 1)].tolist()
