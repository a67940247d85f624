"""The quantities of Santurkar et al. (2018) along a walk, as logarithms over seeds and steps."""

import numpy as np

from clinometer.analysis.paired import Measure
from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig

QUANTITIES = {"variation": "the loss variation", "gap": "the largest change of the gradient", "beta": "β"}


def log_quantity(runs: RunTable, name: str, probe: str = "landscape") -> Measure:
    """log10 of one of `QUANTITIES` at each step that a probe measured."""

    def measure(arm: RunConfig, seeds: list[int]) -> Floats:
        if name == "variation":
            high, low = (runs.values(arm, probe, field, seeds) for field in ("loss_max", "loss_min"))
            return np.log10(high - low)
        return np.log10(runs.values(arm, probe, {"gap": "gap_max", "beta": "beta"}[name], seeds))

    return measure
