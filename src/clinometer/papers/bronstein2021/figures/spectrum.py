"""The spectrum of the Hessian at a critical point, with as many zeros as there are continuous symmetries."""

import numpy as np

from clinometer.papers.bronstein2021.configs import tiny_networks
from clinometer.papers.bronstein2021.figures.style import figure
from clinometer.papers.bronstein2021.names import TOLERANCE
from clinometer.plots.panels import reference
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series, Vertical
from clinometer.training.config import Bases, RunConfig

TITLE = "Flat directions: eigenvalues of the Hessian at a critical point"
TOLD = {
    "tanh": "tanh: none",
    "relu": "ReLU: one per unit",
    "linear": "linear: h² + h",
    "conv": "conv, BatchNorm: three per channel",
    "p4": "p4 conv, BatchNorm: three per channel",
}
_FLOOR = 1e-20


def arms(bases: Bases) -> list[RunConfig]:
    """All kinds of tiny networks."""
    return list(tiny_networks(bases).values())


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel per kind: sizes of the eigenvalues from the smallest on, a line a seed."""
    return figure(
        TITLE,
        "|λ| over the largest one, from the smallest on, a line for each seed, of networks with one hidden layer of "
        "four units or channels. Vertical: the dimension of the continuous symmetries. Dotted: below it an "
        "eigenvalue counts as zero.",
        [_panel(runs, kind, arm) for kind, arm in tiny_networks(bases).items()],
    )


def _panel(runs: RunTable, kind: str, arm: RunConfig) -> Panel:
    sizes = np.sort(np.abs(runs.values(arm, "spectrum", "eigenvalues")[:, 0]), axis=1)
    shown = np.maximum(sizes / sizes[:, -1:], _FLOOR)
    x = np.arange(1, shown.shape[1] + 1)
    lines = tuple(Series("", "padded", x, values, shade=0.6) for values in shown)
    edge = reference("tolerance", x, TOLERANCE)
    expected = float(runs.values(arm, "spectrum", "expected")[0, 0])
    return Panel(
        TOLD[kind],
        "eigenvalue",
        "|λ| / largest",
        (*lines, edge),
        verticals=(Vertical("dimension of the symmetries", expected + 0.5),),
        yscale="log",
    )
