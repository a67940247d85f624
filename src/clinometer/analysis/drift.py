"""How far the distributions of activations move: from each measured step to the next step, and from step 0.

`probe` names the rows of means and variances, so that the same layers may be recorded at several sites.
"""

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
    relative_var: Floats  # (seeds, steps, layers) of the variances, over their mean over units


def between_steps(runs: RunTable, arm: RunConfig, seeds: list[int] | None = None, probe: str = "activations") -> Moved:
    """From each measured step to the step after it, each on its own batch."""
    first = _successive(runs, arm, probe)
    return _moved(runs, arm, seeds, probe, first, first + 1)


def from_start(runs: RunTable, arm: RunConfig, seeds: list[int] | None = None, probe: str = "activations") -> Moved:
    """From step 0 to each measured step."""
    later = _successive(runs, arm, probe)
    return _moved(runs, arm, seeds, probe, np.zeros_like(later), later)


def mean_drift(
    runs: RunTable, arm: RunConfig, seeds: list[int], probe: str = "activations", *, start: bool = False
) -> Floats:
    """The change of the units' means over their deviation: the mean over layers and steps, shape (seeds,)."""
    return _mean((from_start if start else between_steps)(runs, arm, seeds, probe).relative)


def mean_variance_drift(
    runs: RunTable, arm: RunConfig, seeds: list[int], probe: str = "activations", *, start: bool = False
) -> Floats:
    """The change of the units' variances over their mean: the mean over layers and steps, shape (seeds,)."""
    return _mean((from_start if start else between_steps)(runs, arm, seeds, probe).relative_var)


def drift_steps(runs: RunTable, arm: RunConfig) -> Floats:
    """The measured steps that have a successor, shape (steps,)."""
    return runs.steps(arm, "activations")[_successive(runs, arm, "activations")]


def _successive(runs: RunTable, arm: RunConfig, probe: str) -> Indices:
    """The rows of the measured steps whose next step was measured as well."""
    steps = runs.steps(arm, probe)
    return np.flatnonzero((np.diff(steps) == 1) & (steps[:-1] % arm.interval_of(probe) == 0))


def _moved(
    runs: RunTable, arm: RunConfig, seeds: list[int] | None, probe: str, before: Indices, after: Indices
) -> Moved:
    means, variances = (runs.values(arm, probe, field, seeds) for field in ("mean", "var"))
    mean = np.sqrt(mean_over_units((means[:, after] - means[:, before]) ** 2))
    var = np.sqrt(mean_over_units((variances[:, after] - variances[:, before]) ** 2))
    spread = mean_over_units(variances[:, after])
    return Moved(mean, var, mean / np.sqrt(spread), var / spread)


def _mean(moved: Floats) -> Floats:
    return moved[:, 1:].mean((1, 2))  # without step 0, from which nothing has moved


def mean_over_units(values: Floats) -> Floats:
    """The mean over the last axis without its padding; NaN where nothing is left, after a run diverged."""
    count = np.isfinite(values).sum(-1)
    return np.nansum(values, -1) / np.where(count, count, np.nan)
