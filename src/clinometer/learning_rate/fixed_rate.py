"""A short training at one rate, and whether it is stable."""

import math
from dataclasses import dataclass
from statistics import fmean

from clinometer.learning_rate.ramp import Ramp
from clinometer.learning_rate.trials import Trial

STEPS = 16
_EARLY, _FAR = 8, 2.0  # from that step on, a training whose loss stays above this, in losses at the start, is given up
_LATE, _BACK, _HIGH = 12, 0.95, 1.45  # and from this one on, one that has been high and is hardly below its start
_LOST = 1e4  # from where none comes back
_LAST = 6  # steps that the loss at the end is the mean of
_PEAK = 1.15  # an unstable training has been above this; one that is merely slow has not


@dataclass(frozen=True)
class FixedRate:
    """What a short training at one rate did, relative to the loss at the start."""

    rate: float
    end: float  # the loss at its end, the mean over 6 batches; infinite where it was not finite
    stable: bool  # whether a longer training would be: the loss has fallen enough, or has never risen
    steps: int = STEPS  # taken


def fixed_rate(trial: Trial, rate: float, ramp: Ramp, fallen: float) -> FixedRate:
    """Train at one rate, at most 16 steps.

    Args:
        trial: The training, not begun yet.
        rate: The rate.
        ramp: It tells the loss at the start, and its noise.
        fallen: The end up to which the training is stable whatever its loss has been.
    """
    relative: list[float] = []
    while len(relative) < STEPS:
        relative.append(ramp.relative(trial.step(rate)))
        if not relative[-1] < _LOST:
            return FixedRate(rate, math.inf, False, len(relative))
        if _is_given_up(relative):
            break
    end, highest = fmean(relative[-_LAST:]), max(relative)
    stable = end <= fallen or highest <= max(_PEAK, 1 + 3 * ramp.relative_noise)
    return FixedRate(rate, end, stable, len(relative))


def _is_given_up(relative: list[float]) -> bool:
    end = fmean(relative[-_LAST:])
    far = len(relative) >= _EARLY and end > _FAR
    return far or (len(relative) >= _LATE and end > _BACK and max(relative) > _HIGH)
