"""Comparisons at matched loss: at equal steps the network that learns faster is further down, where slopes are less."""

from collections.abc import Sequence

import numpy as np

from clinometer.study.config import Config
from clinometer.study.table import Floats, Runs
from clinometer.study.trained import first_reach

LEVELS = 12  # training losses compared, evenly spaced in the logarithm
QUANTITIES = {"variation": "the loss variation", "gap": "the largest change of the gradient", "beta": "β"}


def quantity(runs: Runs, arm: Config, name: str, seeds: list[int], probe: str = "landscape") -> Floats:
    """A quantity of the landscape at each measured step, shape (seeds, steps)."""
    if name == "variation":
        high, low = (runs.values(arm, probe, field, seeds) for field in ("loss_max", "loss_min"))
        return high - low
    return runs.values(arm, probe, {"gap": "gap_max", "beta": "beta"}[name], seeds)


def common_levels(runs: Runs, arms: Sequence[Config], seeds: list[int]) -> Floats:
    """Losses that all arms come through, per seed: (seeds, LEVELS); NaN where their losses do not overlap."""
    losses = [runs.values(arm, "landscape", "loss", seeds) for arm in arms]
    start = np.min([loss[:, 0] for loss in losses], axis=0)
    end = np.max([np.nanmin(loss, axis=1) for loss in losses], axis=0)
    end = np.where(end < start, end, np.nan)
    levels = np.exp(np.linspace(np.log(start), np.log(end), LEVELS, axis=1))
    return np.clip(levels, end[:, None], start[:, None])  # rounding must not put the last one out of reach


def at_levels(runs: Runs, arm: Config, name: str, levels: Floats, seeds: list[int], probe: str = "landscape") -> Floats:
    """A quantity at the first measured step whose loss has come down to each level, shape (seeds, levels)."""
    reached = first_reach(runs.values(arm, "landscape", "loss", seeds), levels)
    values = np.take_along_axis(quantity(runs, arm, name, seeds, probe), np.maximum(reached, 0), axis=1)
    return np.where(reached >= 0, values, np.nan)


def log_ratios(runs: Runs, first: Config, second: Config, name: str, probe: str = "landscape") -> Floats:
    """log10 of a quantity in the first arm over the second, mean over the levels, shape (seeds,)."""
    seeds = runs.seeds(first, second)
    levels = common_levels(runs, (first, second), seeds)
    one, two = (np.log10(at_levels(runs, arm, name, levels, seeds, probe)) for arm in (first, second))
    return (one - two).mean(1)
