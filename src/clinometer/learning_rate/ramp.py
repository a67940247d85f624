"""A training whose rate rises at each step, until the loss blows up: the usual learning-rate finder."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev

from clinometer.learning_rate.cannot_tell import CannotTellError
from clinometer.learning_rate.trials import Trials

GROWTH = 1.3  # of the rate, per step
LOWEST, HIGHEST = 1e-8, 1e4  # rates that are tried
_FIRST = 30.0  # how far below the first step's critical rate it begins
_PATIENT, _HURRIED = 24, 2.0  # after so many steps the rate grows by this factor
_MOST = 36  # steps
_BLOWN_UP = 2.0  # times the loss at the start: there it ends
_SMOOTH = 3  # steps that the loss is averaged over
_START = 6  # batches whose loss is taken at the start


@dataclass(frozen=True)
class Ramp:
    """A rising rate and what the loss did."""

    rates: tuple[float, ...]  # of each step
    losses: tuple[float, ...]  # before each step
    blow_up: float  # the rate of the last step before the smoothed loss was back at its start
    loss: float  # at the start, the mean over a few batches
    noise: float  # the standard deviation of the loss of one batch
    lowest: float  # the lowest smoothed loss

    def relative(self, loss: float) -> float:
        """A loss over that at the start. A loss that may be negative counts from the lowest one on."""
        least = min(0.0, self.lowest)
        return (loss - least) / (self.loss - least)

    @property
    def relative_noise(self) -> float:
        """The noise over the loss at the start."""
        return self.noise / (self.loss - min(0.0, self.lowest))


def rising_rate(trials: Trials, critical_rate: float) -> Ramp:
    """Raise the rate from far below the first step's critical rate until the loss blows up. Cost: 8 to 36 passes.

    Raises:
        CannotTellError: if the loss does not rise at any rate up to 10,000.
    """
    at_start = trials.first_losses(range(_START))
    start = fmean(at_start)
    rate = max(critical_rate / _FIRST, LOWEST)
    rates: list[float] = []
    with trials.run() as trial:
        while len(rates) < _MOST and rate <= HIGHEST and not _has_blown_up(trial.losses, start):
            trial.step(rate)
            rates.append(rate)
            rate *= GROWTH if len(rates) < _PATIENT else _HURRIED
        losses = trial.losses
    if not _has_blown_up(losses, start):
        raise CannotTellError(f"the loss does not blow up at any rate that was tried, up to {rates[-1]:.2g}")
    smooth = _smoothed(losses)
    lowest = min(range(len(smooth)), key=lambda step: smooth[step] if math.isfinite(smooth[step]) else math.inf)
    back = next(step for step in range(lowest, len(smooth)) if not smooth[step] < start)
    return Ramp(tuple(rates), tuple(losses), rates[max(back - 1, 0)], start, stdev(at_start), smooth[lowest])


def _has_blown_up(losses: list[float], start: float) -> bool:
    if not losses:
        return False
    smooth = _smoothed(losses)
    return not smooth[-1] <= start + (_BLOWN_UP - 1) * max(abs(start), start - min(smooth))


def _smoothed(losses: list[float]) -> list[float]:
    return [fmean(losses[max(0, step - _SMOOTH + 1) : step + 1]) for step in range(len(losses))]
