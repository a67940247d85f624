"""How far the means of a layer's units are from 0, beside the units' own deviation, and how that grows.

    κ = √(mean over units of m²) / √(mean over units of s²)

with m and s² the mean and variance of a unit over batch and space. No rescaling of a layer's input or weight changes it
where there is no bias. κ is taken at one of three sites of a layer (`probes.SITES`) and averaged over layers.
"""

import numpy as np

from clinometer.analysis.drift import mean_over_units
from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig

BEFORE, BEFORE_RELU, AFTER_RELU = "conv", "norm", "relu"
LATE = 1 / 3  # of the measured steps, at the end


def offcentre(mean: Floats, var: Floats) -> Floats:
    """κ of each layer, from means and variances of shape (..., layers, units), padded with NaN.

    Example:
        >>> offcentre(np.array([[3.0, 4.0]]), np.array([[1.0, 1.0]])).round(4)
        array([3.5355])
    """
    return np.sqrt(mean_over_units(mean**2) / mean_over_units(var))


def levels(runs: RunTable, arm: RunConfig, seeds: list[int], site: str = BEFORE) -> Floats:
    """κ at a site, mean over layers, (seeds, measured steps)."""
    mean, var = (runs.values(arm, "means", f"{site}_{moment}", seeds) for moment in ("mean", "var"))
    return offcentre(mean, var).mean(-1)


def late(values: Floats) -> Floats:
    """The mean over the last third of the steps, (seeds,), of values of shape (seeds, steps)."""
    return values[:, -max(1, round(LATE * values.shape[1])) :].mean(1)


def growth(values: Floats) -> Floats:
    """log10 of the late mean over the first value, (seeds,).

    Example:
        >>> growth(np.array([[1.0, 5.0, 10.0]]))
        array([1.])
    """
    return np.log10(late(values)) - np.log10(values[:, 0])
