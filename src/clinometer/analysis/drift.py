"""How far the distributions of activations move: from each measured step to the next step, and from step 0."""

from typing import NamedTuple

import numpy as np

from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig

Indices = np.ndarray[tuple[int], np.dtype[np.intp]]


class Moved(NamedTuple):
    """Changes of a layer's means and variances, root mean squares over its units."""

    mean: Floats  # (seeds, steps, layers)
    var: Floats  # (seeds, steps, layers)
    relative: Floats  # (seeds, steps, layers) of the means, over the units' standard deviation


def between_steps(runs: RunTable, arm: RunConfig, seeds: list[int] | None = None) -> Moved:
    """From each measured step to the step after it, each on its own batch."""
    first = _successive(runs, arm)
    return _moved(runs, arm, seeds, first, first + 1)


def from_start(runs: RunTable, arm: RunConfig, seeds: list[int] | None = None) -> Moved:
    """From step 0 to each measured step."""
    later = _successive(runs, arm)
    return _moved(runs, arm, seeds, np.zeros_like(later), later)


def mean_drift(runs: RunTable, arm: RunConfig, seeds: list[int], *, start: bool = False) -> Floats:
    """The change of the units' means over their deviation: the mean over layers and steps, shape (seeds,)."""
    moved = (from_start if start else between_steps)(runs, arm, seeds).relative
    return moved[:, 1:].mean((1, 2))  # without step 0, from which nothing has moved


def mean_variance_change(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    """The change of the units' variances from step 0: the mean over layers and steps, shape (seeds,)."""
    return from_start(runs, arm, seeds).var[:, 1:].mean((1, 2))


def drift_steps(runs: RunTable, arm: RunConfig) -> Floats:
    """The measured steps that have a successor, shape (steps,)."""
    return runs.steps(arm, "activations")[_successive(runs, arm)]


def _successive(runs: RunTable, arm: RunConfig) -> Indices:
    """The rows of the measured steps whose next step was measured as well."""
    steps = runs.steps(arm, "activations")
    return np.flatnonzero((np.diff(steps) == 1) & (steps[:-1] % arm.measure_every == 0))


def _moved(runs: RunTable, arm: RunConfig, seeds: list[int] | None, before: Indices, after: Indices) -> Moved:
    means, variances = (runs.values(arm, "activations", field, seeds) for field in ("mean", "var"))
    squared = mean_over_units((means[:, after] - means[:, before]) ** 2)
    spread = mean_over_units((variances[:, after] - variances[:, before]) ** 2)
    return Moved(np.sqrt(squared), np.sqrt(spread), np.sqrt(squared / mean_over_units(variances[:, after])))


def mean_over_units(values: Floats) -> Floats:
    """The mean over the last axis without its padding; NaN where nothing is left, after a run diverged."""
    count = np.isfinite(values).sum(-1)
    return np.nansum(values, -1) / np.where(count, count, np.nan)
