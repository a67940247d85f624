"""The landscape of Figures 4 and 10 against the loss reached instead of the step."""

import numpy as np

from clinometer.analysis.landscape import QUANTITIES, log_quantity
from clinometer.analysis.matched_loss import at_common_losses
from clinometer.papers.santurkar2018.style import colour, figure
from clinometer.papers.santurkar2018.variants import dln, label, vgg
from clinometer.results.run_table import Floats, RunTable
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
    rows = [_row(runs, both, kind) for kind, both in kinds.items()]
    return figure(
        TITLE,
        "Largest values along the gradient, interpolated between the measured steps at which a network's loss was "
        "lower than ever, at losses that both networks come through once they have begun to learn. Geometric mean over "
        f"the seeds that have such losses, {', '.join(count for _, count in rows)}; band: their range. At equal steps "
        "a network that learns faster is compared further down the hill; here it is not.",
        [panel for panels, _ in rows for panel in panels],
        columns=len(QUANTITIES),
    )


def _row(runs: RunTable, both: list[RunConfig], kind: str) -> tuple[list[Panel], str]:
    """The panels of a kind of network, and in how many of its seeds both networks come through the same losses."""
    panels: list[Panel] = []
    counts = ""
    for name, told in QUANTITIES.items():
        levels, values = at_common_losses(runs, both, log_quantity(runs, name))
        has = np.flatnonzero(np.isfinite(levels).all(1))
        counts = f"{has.size} of {len(levels)} ({kind})"
        chosen = has if has.size else np.arange(len(levels))  # without one seed to show the panel stays, empty
        x = np.exp(np.log(levels[chosen]).mean(0))
        series = tuple(_band(arm, x, logs[chosen]) for arm, logs in zip(both, values, strict=True))
        panels.append(Panel(f"{kind}: {told}", "training loss", "", series, xscale="log", yscale="log"))
    return panels, counts


def _band(arm: RunConfig, x: Floats, logs: Floats) -> Series:
    return Series(label(arm), colour(arm), x, 10 ** logs.mean(0), low=10 ** logs.min(0), high=10 ** logs.max(0))
