"""Internal covariate shift of a variant over training, as one number per measured step."""

import numpy as np

from clinometer.analysis.paired import Measure
from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig


def shift_over_layers(runs: RunTable, field: str) -> Measure:
    """The mean over layers of log10 ‖G − G′‖ (`l2`) or of cos(G, G′) (`cosine`).

    The first layer is left out: there is no layer before it that could shift its gradient.
    """

    def measure(arm: RunConfig, seeds: list[int]) -> Floats:
        values = runs.values(arm, "internal_shift", field, seeds)[:, :, 1:]
        return (np.log10(values) if field == "l2" else values).mean(2)

    return measure
