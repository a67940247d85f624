"""Internal covariate shift of a variant over training, as one number per measured step."""

import numpy as np

from clinometer.analysis.paired import Measure
from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig


def shift_over_layers(runs: RunTable, field: str) -> Measure:
    """The mean over measured layers of log10 ‖G − G′‖ (`l2`) or of cos(G, G′) (`cosine`).

    The network's first layer is left out: there is no layer before it that could shift its gradient, so that G′ is G.
    """

    def measure(arm: RunConfig, seeds: list[int]) -> Floats:
        values = runs.values(arm, "internal_shift", field, seeds)[:, :, _first(runs, arm) :]
        return (np.log10(values) if field == "l2" else values).mean(2)

    return measure


def _first(runs: RunTable, arm: RunConfig) -> int:
    """1 where the network's first layer is among those measured, else 0: its gradient alone has not changed at all."""
    row = runs.row(arm, "internal_shift")
    return int(bool(np.asarray(row["l2"])[0] == 0))
