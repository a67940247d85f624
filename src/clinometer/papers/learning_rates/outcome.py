"""The largest stable learning rate of a configuration, from trainings at rates of a grid.

A rate is stable if most of its seeds are. A seed is stable if its final loss, the mean over its last 20 steps, is
finite and not above the loss of its first step, and its final accuracy is at least half of the best rate's: the rate
whose mean final loss is the lowest. The largest stable rate is the last one above the best before the first that is not
stable. Rates below the best one are not asked: one that is too small to learn in so few steps is no danger.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from clinometer.papers.learning_rates.grid import STRIDE, Grid, rate


@dataclass(frozen=True)
class Trial:
    """What became of a network at one rate, over seeds."""

    initial: tuple[float, ...]  # the loss of the first step, of each seed
    final: tuple[float, ...]  # the mean loss of the last steps; infinite where one is not finite
    accuracy: tuple[float, ...]  # the mean over the same steps; 0 there

    @property
    def loss(self) -> float:
        """The mean of the final losses."""
        return float(np.mean(self.final))


@dataclass(frozen=True)
class Outcome:
    """Where stability ends: the true end lies between `largest` and `unstable`."""

    best: float  # the rate whose mean final loss is the lowest of all that were tried
    best_loss: float
    largest: float  # the largest stable rate; NaN if not even the best one is stable
    unstable: float  # the first unstable one above it; infinite where the grid ends before: censored
    holes: int  # rates below the best one whose final loss is not finite or above the initial one by a tenth

    @property
    def censored(self) -> bool:
        """Whether the grid ended before stability did."""
        return math.isinf(self.unstable)


Trials = Mapping[int, Trial]  # by half octaves of the rate


def is_stable(trial: Trial, best: Trial) -> bool:
    """Whether most of a rate's seeds are stable.

    Args:
        trial: Of the rate.
        best: Of the best rate, with the same seeds.

    Example:
        >>> best = Trial((2.3, 2.3), (0.1, 0.1), (0.9, 0.9))
        >>> is_stable(Trial((2.3, 2.3), (1.8, 2.0), (0.5, 0.46)), best), is_stable(Trial((2.3,), (2.0,), (0.4,)), best)
        (True, False)
    """
    enough = 0.5 * float(np.mean(best.accuracy))
    seeds = zip(trial.initial, trial.final, trial.accuracy, strict=True)
    stable = [final <= initial and accuracy >= enough for initial, final, accuracy in seeds]
    return 2 * sum(stable) > len(stable)


def best_of(trials: Trials) -> int:
    """The half octaves of the rate whose mean final loss is the lowest."""
    return min(trials, key=lambda each: trials[each].loss)


def outcome(trials: Trials) -> Outcome:
    """Where stability ends among the rates that were tried.

    Example:
        >>> fine, learns, diverged = (Trial((2.3,), (loss,), (0.9,)) for loss in (0.1, 0.4, 9.0))
        >>> found = outcome({-4: learns, -2: fine, 0: learns, 1: diverged, 2: learns})
        >>> found.best, found.largest, round(found.unstable, 3)
        (0.5, 1.0, 1.414)
    """
    best = best_of(trials)
    last, unstable = _edge(trials, best)
    holes = sum(
        each < best and np.mean([f > 1.1 * i for f, i in zip(t.final, t.initial, strict=True)]) > 0.5
        for each, t in trials.items()
    )
    return Outcome(
        rate(best),
        trials[best].loss,
        math.nan if last is None else rate(last),
        math.inf if unstable is None else rate(unstable),
        int(holes),
    )


def explore(train: Callable[[int], Trial], grid: Grid) -> dict[int, Trial]:
    """Train at the rates of the sweep, then at those that it takes to find where stability ends to half an octave.

    Beyond the sweep the rates go up by its stride until one is not stable, or down until one learns, as far as the grid
    reaches; then those between the last stable rate and the first unstable one are tried.

    Args:
        train: Half octaves of a rate to what becomes of it.
        grid: The grid.
    """
    trials = {each: train(each) for each in grid.sweep}
    while (down := min(trials) - STRIDE) >= grid.lowest and not _learns(trials):
        trials[down] = train(down)
    while _edge(trials, best_of(trials))[1] is None and (up := max(trials) + STRIDE) <= grid.highest:
        trials[up] = train(up)
    while (gap := _gap(trials)) is not None:
        trials[gap] = train(gap)
    return dict(sorted(trials.items()))


def _learns(trials: Trials) -> bool:
    """Whether the best rate is stable."""
    best = trials[best_of(trials)]
    return is_stable(best, best)


def _edge(trials: Trials, best: int) -> tuple[int | None, int | None]:
    """The last stable rate above the best before the first unstable one, and that one; None where there is none."""
    last: int | None = None
    for each in sorted(each for each in trials if each >= best):
        if not is_stable(trials[each], trials[best]):
            return last, each
        last = each
    return last, None


def _gap(trials: Trials) -> int | None:
    """The lowest rate between the last stable and the first unstable one that is not tried yet; None where all are."""
    last, unstable = _edge(trials, best_of(trials))
    if last is None or unstable is None or unstable - last <= 1:
        return None
    return last + 1
