"""How far the distributions of activations move: between successive steps, and away from the first step (Figure 8)."""

from typing import NamedTuple

import numpy as np

from clinometer.results.runs import Floats, Runs
from clinometer.training.config import Config

Indices = np.ndarray[tuple[int], np.dtype[np.intp]]


class Moved(NamedTuple):
    """Changes of a layer's means and variances, root mean squares over its units."""

    mean: Floats  # (seeds, steps, layers)
    var: Floats  # (seeds, steps, layers)
    relative: Floats  # (seeds, steps, layers) of the means, over the units' standard deviation


def between_steps(runs: Runs, arm: Config, seeds: list[int] | None = None) -> Moved:
    """From each measured step to the step after it, each on its own batch."""
    first = successive(runs, arm)
    return _moved(runs, arm, seeds, first, first + 1)


def from_start(runs: Runs, arm: Config, seeds: list[int] | None = None) -> Moved:
    """From step 0 to each measured step."""
    later = successive(runs, arm)
    return _moved(runs, arm, seeds, np.zeros_like(later), later)


def drift_steps(runs: Runs, arm: Config) -> Floats:
    """The measured steps that have a successor, shape (steps,)."""
    return runs.steps(arm, "activations")[successive(runs, arm)]


def successive(runs: Runs, arm: Config) -> Indices:
    """Where in the rows a step lies whose successor was measured too."""
    steps = runs.steps(arm, "activations")
    return np.flatnonzero((np.diff(steps) == 1) & (steps[:-1] % arm.measure_every == 0))


def _moved(runs: Runs, arm: Config, seeds: list[int] | None, before: Indices, after: Indices) -> Moved:
    means, variances = (runs.values(arm, "activations", field, seeds) for field in ("mean", "var"))
    squared = mean_over_units((means[:, after] - means[:, before]) ** 2)
    spread = mean_over_units((variances[:, after] - variances[:, before]) ** 2)
    return Moved(np.sqrt(squared), np.sqrt(spread), np.sqrt(squared / mean_over_units(variances[:, after])))


def mean_over_units(values: Floats) -> Floats:
    """The mean over the last axis without its padding; NaN where nothing is left, after a run diverged."""
    count = np.isfinite(values).sum(-1)
    return np.nansum(values, -1) / np.where(count, count, np.nan)
