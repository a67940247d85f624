"""Comparisons at matched loss: at equal steps the network that learns faster is further down, where slopes are less.

Each network is followed from the step at which it begins to learn, along the measured steps at which its loss was lower
than ever before. Between these steps a quantity is interpolated against the logarithm of the loss, so that all networks
are compared at the same losses.
"""

from collections.abc import Sequence

import numpy as np

from clinometer.analysis.learning_progress import learning_starts
from clinometer.analysis.paired import Measure
from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig

LEVELS = 12  # training losses compared, evenly spaced in the logarithm


def at_common_losses(
    runs: RunTable, arms: Sequence[RunConfig], measure: Measure, seeds: Sequence[int] | None = None
) -> tuple[Floats, list[Floats]]:
    """Losses that all variants pass through, (seeds, LEVELS), and what each variant measured there, (seeds, LEVELS).

    NaN where the losses of a seed's networks do not overlap. Without `seeds`, those that all variants have.
    """
    seeds = runs.common(*arms) if seeds is None else list(seeds)
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


def matched_difference(
    runs: RunTable, ours: RunConfig, other: RunConfig, measure: Measure, seeds: Sequence[int] | None = None
) -> Floats:
    """The mean of ours − other over the losses that both pass through, shape (seeds,)."""
    _, (one, two) = at_common_losses(runs, [ours, other], measure, seeds)
    return (one - two).mean(1)


def _descents(runs: RunTable, arm: RunConfig, measure: Measure, seeds: list[int]) -> list[tuple[Floats, Floats]]:
    """For each seed the logarithms of the losses that were lower than all before them, and what was measured there."""
    losses, values = runs.values(arm, "landscape", "loss", seeds), measure(arm, seeds)
    steps, starts = runs.steps(arm, "landscape"), learning_starts(runs, [arm], seeds)
    descents: list[tuple[Floats, Floats]] = []
    for loss, value, start in zip(losses, values, starts, strict=True):
        learning = np.where(steps >= start, loss, np.inf)
        before = np.concatenate([[np.inf], np.fmin.accumulate(learning)[:-1]])
        lowest = learning < before
        descents.append((np.log(loss[lowest]), value[lowest]))
    return descents
