"""A short training at one rate, and whether it is stable."""

import math
from dataclasses import dataclass
from statistics import fmean

from clinometer.learning_rate.ramp import Ramp
from clinometer.learning_rate.trials import Trial

STEPS = 16
_SURE, _HIGH, _BACK = 12, 1.45, 0.95  # from that step on, a loss that is back at its start after a peak is given up
_LOST = 1e4  # times the loss at the start, from where none comes back
_LAST = 6  # steps that the loss at the end is the mean of
_FALLEN = 0.75  # of the loss at the start: an unstable training has not come below this,
_PEAK = 1.15  # and has been above this; one that is merely slow has not


@dataclass(frozen=True)
class FixedRate:
    """What a short training at one rate did, relative to the loss at the start."""

    rate: float
    end: float  # the loss at its end, the mean over 6 batches; infinite where it was not finite
    stable: bool  # whether a longer training would be: the loss has fallen by a quarter, or has never risen
    steps: int = STEPS  # taken


def fixed_rate(trial: Trial, rate: float, ramp: Ramp) -> FixedRate:
    """Train at one rate, at most 16 steps.

    Args:
        trial: The training, not begun yet.
        rate: The rate.
        ramp: It tells the loss at the start, and its noise.
    """
    relative: list[float] = []
    while len(relative) < STEPS:
        relative.append(ramp.relative(trial.step(rate)))
        if not relative[-1] < _LOST:
            return FixedRate(rate, math.inf, False, len(relative))
        if len(relative) >= _SURE and max(relative) > _HIGH and fmean(relative[-_LAST:]) > _BACK:
            break
    end, highest = fmean(relative[-_LAST:]), max(relative)
    stable = end <= _FALLEN or highest <= max(_PEAK, 1 + 3 * ramp.relative_noise)
    return FixedRate(rate, end, stable, len(relative))
