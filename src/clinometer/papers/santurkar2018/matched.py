"""Comparisons at matched loss: at equal steps the network that learns faster is further down, where slopes are less.

Each network is followed down its losses from when it has begun to learn, along the measured steps at which its loss was
lower than ever; between them quantities are interpolated, logarithm over logarithm, so that both networks are looked at
the very same losses.
"""

from collections.abc import Callable, Sequence

import numpy as np

from clinometer.papers.santurkar2018.progress import begun
from clinometer.results.runs import Floats, Runs
from clinometer.training.config import Config

LEVELS = 12  # training losses compared, evenly spaced in the logarithm
QUANTITIES = {"variation": "the loss variation", "gap": "the largest change of the gradient", "beta": "β"}

Measure = Callable[[Config, list[int]], Floats]  # of an arm and its seeds: (seeds, measured steps)


def quantity(runs: Runs, name: str, probe: str = "landscape") -> Measure:
    """A quantity of the landscape at each measured step, shape (seeds, steps)."""

    def measure(arm: Config, seeds: list[int]) -> Floats:
        if name == "variation":
            high, low = (runs.values(arm, probe, field, seeds) for field in ("loss_max", "loss_min"))
            return high - low
        return runs.values(arm, probe, {"gap": "gap_max", "beta": "beta"}[name], seeds)

    return measure


def at_common_losses(runs: Runs, arms: Sequence[Config], measure: Measure) -> tuple[Floats, list[Floats]]:
    """Losses that all arms come through, (seeds, LEVELS), and what is measured in each arm there.

    NaN where the losses of a seed's networks do not overlap.
    """
    seeds = runs.common(*arms)
    descents = [_descents(runs, arm, measure, seeds) for arm in arms]
    levels = np.full((len(seeds), LEVELS), np.nan)
    values = [levels.copy() for _ in arms]
    for index, curves in enumerate(zip(*descents, strict=True)):
        if not all(len(losses) for losses, _ in curves):
            continue
        start, end = min(losses[0] for losses, _ in curves), max(losses[-1] for losses, _ in curves)
        if end < start:
            levels[index] = np.linspace(start, end, LEVELS)
            for of_arm, (losses, quantities) in zip(values, curves, strict=True):
                of_arm[index] = np.interp(-levels[index], -losses, quantities)
    return np.exp(levels), values


def _descents(runs: Runs, arm: Config, measure: Measure, seeds: list[int]) -> list[tuple[Floats, Floats]]:
    """For each seed the log of each loss that was lower than all before it, falling, and what was measured there."""
    losses, values = runs.values(arm, "landscape", "loss", seeds), measure(arm, seeds)
    steps, starts = runs.steps(arm, "landscape"), begun(runs, [arm], seeds)
    found: list[tuple[Floats, Floats]] = []
    for loss, value, start in zip(losses, values, starts, strict=True):
        learning = np.where(steps >= start, loss, np.inf)
        before = np.concatenate([[np.inf], np.fmin.accumulate(learning)[:-1]])
        lowest = learning < before
        found.append((np.log(loss[lowest]), value[lowest]))
    return found
