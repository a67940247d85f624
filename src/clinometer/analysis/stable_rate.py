"""The largest stable learning rate of a configuration, from trainings at rates of a grid.

A rate is stable if most of its seeds are. A seed is stable if its final loss, the mean over its last 20 steps, is
finite and not above the loss of its first step, and its final accuracy is at least half of the best rate's: the rate
whose mean final loss is the lowest. The largest stable rate is the last one above the best before the first that is not
stable. Rates below the best one are not asked: one that is too small to learn in so few steps is no danger.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from clinometer.training.curve import Curve


Values = np.ndarray[Any, Any]
FINAL = 20  # steps whose mean loss and accuracy are the final ones


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


def rate(half_octaves: int) -> float:
    """The learning rate 2^(k/2).

    Example:
        >>> rate(-4), round(rate(1), 3)
        (0.25, 1.414)
    """
    return 2.0 ** (half_octaves / 2)


def trial(curves: "Sequence[Curve]") -> Trial:
    """What became of a rate, from the curves of its seeds."""
    return Trial(
        tuple(each.losses[0] for each in curves),
        tuple(math.inf if each.diverged else _last(each.losses) for each in curves),
        tuple(0.0 if each.diverged else _last(each.accuracies) for each in curves),
    )


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
    last, unstable = edge(trials, best)
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


def columns(trials: Mapping[int, Trial]) -> dict[str, Values]:
    """The row of a sweep."""
    return {
        "half_octaves": np.array(list(trials)),
        "lr": np.array([rate(each) for each in trials]),
        **{
            name: np.array([getattr(each, name) for each in trials.values()])
            for name in ("initial", "final", "accuracy")
        },
    }


def trials_of(row: Mapping[str, Values]) -> dict[int, Trial]:
    """The trials that a row of a sweep was written from."""
    parts = zip(*(row[name] for name in ("half_octaves", "initial", "final", "accuracy")), strict=True)
    return {int(k): Trial(*(tuple(map(float, each)) for each in (i, f, a))) for k, i, f, a in parts}


def edge(trials: Trials, best: int) -> tuple[int | None, int | None]:
    """The last stable rate above the best before the first unstable one, and that one; None where there is none."""
    last: int | None = None
    for each in sorted(each for each in trials if each >= best):
        if not is_stable(trials[each], trials[best]):
            return last, each
        last = each
    return last, None


def _last(values: Sequence[float]) -> float:
    return float(np.mean(values[-FINAL:]))
