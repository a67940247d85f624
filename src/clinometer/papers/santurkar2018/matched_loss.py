"""The landscape of Figures 4 and 10 against the loss reached instead of the step."""

import numpy as np

from clinometer.analysis.landscape import QUANTITIES, log_quantity
from clinometer.analysis.matched_loss import at_common_losses
from clinometer.papers.santurkar2018.style import colour, figure
from clinometer.papers.santurkar2018.variants import dln, label, vgg
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.config import Bases, RunConfig

TITLE = "The landscape at matched loss"
NORMS = ("none", "batch")


def arms(bases: Bases) -> list[RunConfig]:
    """Both kinds of network with and without BatchNorm."""
    return [*vgg(bases, NORMS), *dln(bases, NORMS)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A row per kind of network: each quantity of the landscape over the training loss at which it is seen."""
    kinds = {"VGG": vgg(bases, NORMS), "DLN": dln(bases, NORMS)}
    panels = [_panel(runs, both, f"{kind}: {QUANTITIES[n]}", n) for kind, both in kinds.items() for n in QUANTITIES]
    counts = ", ".join(f"{len(runs.seeds(*both))} seeds ({kind})" for kind, both in kinds.items())
    return figure(
        TITLE,
        "Largest values along the gradient, interpolated between the measured steps at which a network's loss was "
        "lower than ever, at losses that both networks come through once they have begun to learn. Geometric mean over "
        f"{counts}; band: their range. At equal steps a network that learns faster is compared further down the hill; "
        "here it is not.",
        panels,
        columns=len(QUANTITIES),
    )


def _panel(runs: RunTable, both: list[RunConfig], title: str, name: str) -> Panel:
    levels, values = at_common_losses(runs, both, log_quantity(runs, name))
    x = np.exp(np.log(levels).mean(0))
    series = tuple(
        Series(label(arm), colour(arm), x, 10 ** logs.mean(0), low=10 ** logs.min(0), high=10 ** logs.max(0))
        for arm, logs in zip(both, values, strict=True)
    )
    return Panel(title, "training loss", "", series, xscale="log", yscale="log")
