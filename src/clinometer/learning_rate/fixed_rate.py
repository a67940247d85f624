"""A short training at one rate, and whether it is stable."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from clinometer.learning_rate.ramp import Ramp
from clinometer.learning_rate.trials import Trial

STEPS = 28
_SURE, _HIGH, _BACK = 18, 1.45, 1.0  # from that step on, a loss that is back at its start after a peak is given up
_LOST = 1e4  # times the loss at the start, from where none comes back
_LAST = 6  # steps that the loss at the end is the mean of
_FALLEN = 0.9  # of the loss at the start: an unstable training has not come below this,
_PEAK = 1.15  # and has been above this; one that is merely slow has not


@dataclass(frozen=True)
class FixedRate:
    """What a short training at one rate did, relative to the loss at the start."""

    rate: float
    end: float  # the loss at its end, the mean over 6 batches; infinite where it was not finite
    stable: bool  # whether a longer training would be: the loss has fallen by a tenth, or has never risen
    steps: int = STEPS  # taken


def fixed_rate(trial: Trial, rate: float, ramp: Ramp) -> FixedRate:
    """Train at one rate, at most 28 steps.

    Args:
        trial: The training, not begun yet.
        rate: The rate.
        ramp: It tells the loss at the start, and its noise.
    """
    return judged(rate, (ramp.relative(trial.step(rate)) for _ in range(STEPS)), ramp.relative_noise)


def judged(rate: float, losses: Iterable[float], noise: float) -> FixedRate:
    """Judge a training by its losses, of which no more are taken than it needs.

    Args:
        rate: Its rate.
        losses: The loss before each step, over that at the start.
        noise: How much the loss differs from batch to batch, over that at the start.

    Example:
        >>> judged(0.1, [1.0 - step / 40 for step in range(28)], 0.01).stable
        True
        >>> judged(0.3, [1.0, 2.0, float("nan"), 2.0], 0.01)
        FixedRate(rate=0.3, end=inf, stable=False, steps=3)
    """
    relative: list[float] = []
    for loss in losses:
        relative.append(loss)
        if not loss < _LOST:
            return FixedRate(rate, math.inf, False, len(relative))
        if len(relative) >= _SURE and max(relative) > _HIGH and fmean(relative[-_LAST:]) > _BACK:
            break
    end, highest = fmean(relative[-_LAST:]), max(relative)
    stable = end <= _FALLEN or highest <= max(_PEAK, 1 + 3 * noise)
    return FixedRate(rate, end, stable, len(relative))
