"""The quantities of Santurkar et al. (2018) along a walk, as logarithms over seeds and steps."""

import numpy as np

from clinometer.analysis.paired import Measure
from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig

QUANTITIES = {
    "variation": "loss variation",
    "gap": "largest change of the gradient",
    "relative_gap": "largest relative change of the gradient",
    "beta": "β",
}


def log_quantity(runs: RunTable, name: str, probe: str = "landscape") -> Measure:
    """log10 of one of `QUANTITIES` at each step that a probe measured.

    The relative change is ‖g′ − g‖/‖g‖, where the change itself is large already if the gradient g is.
    """

    def measure(arm: RunConfig, seeds: list[int]) -> Floats:
        def logs(field: str) -> Floats:
            return np.log10(runs.values(arm, probe, field, seeds))

        if name == "variation":
            high, low = (runs.values(arm, probe, field, seeds) for field in ("loss_max", "loss_min"))
            return np.log10(high - low)
        if name == "relative_gap":
            return logs("gap_max") - logs("grad_norm")
        return logs({"gap": "gap_max", "beta": "beta"}[name])

    return measure
