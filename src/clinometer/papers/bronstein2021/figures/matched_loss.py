"""Smoothness at matched loss: the padded, the circular and the p4 network at the losses that all come through."""

import numpy as np

from clinometer.analysis.landscape import QUANTITIES, log_quantity
from clinometer.analysis.matched_loss import at_common_losses
from clinometer.papers.bronstein2021.configs import trained
from clinometer.papers.bronstein2021.figures.style import LABELS, figure
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.config import Bases, RunConfig

TITLE = "Smoothness at matched loss"
COMPARED = ("padded", "circular", "p4")


def arms(bases: Bases) -> list[RunConfig]:
    """The networks on a grid and on p4."""
    return [trained(bases)[name] for name in COMPARED]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel per quantity of the landscape along the gradient."""
    networks = dict(zip(COMPARED, arms(bases), strict=True))
    panels: list[Panel] = []
    count = 0
    for name, told in QUANTITIES.items():
        levels, values = at_common_losses(runs, list(networks.values()), log_quantity(runs, name))
        has = np.flatnonzero(np.isfinite(levels).all(1))
        count = len(has)
        chosen = has if count else np.arange(len(levels))
        x = np.exp(np.log(levels[chosen]).mean(0))
        series = tuple(
            Series(LABELS[n], n, x, 10 ** v[chosen].mean(0), 10 ** v[chosen].min(0), 10 ** v[chosen].max(0))
            for n, v in zip(networks, values, strict=True)
        )
        panels.append(Panel(told, "training loss", "", series, xscale="log", yscale="log"))
    return figure(
        TITLE,
        "Largest values along the gradient at losses that all three networks come through once they have begun to "
        f"learn, at matched numbers of parameters. Geometric mean over the {count} seeds that have such losses; band: "
        "their range.",
        panels,
        columns=2,
    )
