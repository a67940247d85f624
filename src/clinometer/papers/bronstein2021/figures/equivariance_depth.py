"""The equivariance error of each stage over depth, for each network and group."""

import numpy as np

from clinometer.papers.bronstein2021.configs import trained
from clinometer.papers.bronstein2021.figures.style import FLOOR, figure, over_layers, seeds_told, styled
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.series import StyledVariant
from clinometer.training.config import Bases, RunConfig

TITLE = "Equivariance error over depth"
SHOWN = {
    "rotation": "rotations by right angles",
    "shift": "cyclic shifts",
    "even_shift": "even cyclic shifts",
    "permutation": "permutations of the nodes",
}


def arms(bases: Bases) -> list[RunConfig]:
    """All networks on digits in all rotations."""
    return list(trained(bases).values())


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel per group, at the last measured step; the last two places are the pooled features and the logits."""
    networks = trained(bases)
    return figure(
        TITLE,
        "Mean ‖f(ρx) − ρ′f(x)‖ over mean ‖f(x)‖ of the network up to each stage at the last measured step, in "
        "float32. The last two places are the mean over the domain and the logits; graph and set networks begin with "
        "a stage that makes the graph. What is below 1e-6 is rounding, what is below 1e-9 is drawn there. "
        f"{seeds_told(runs, networks)}",
        [
            Panel(title, "stage", "error", _lines(runs, styled(networks), group), yscale="log")
            for group, title in SHOWN.items()
        ],
        columns=2,
    )


def _lines(runs: RunTable, variants: list[StyledVariant], group: str) -> tuple[Series, ...]:
    found = [(each, runs.values(each.config, "equivariance", group)[:, -1]) for each in variants]
    acts = [(each, values) for each, values in found if np.isfinite(values).any()]
    return tuple(over_layers(each, np.maximum(values, FLOOR), runs.seeds(each.config)) for each, values in acts)
