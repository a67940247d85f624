"""The landscape of Figures 4 and 10 against the loss reached instead of the step."""

import numpy as np

from clinometer.papers.santurkar2018.arms import dln, label, vgg
from clinometer.papers.santurkar2018.matched import QUANTITIES, at_levels, common_levels
from clinometer.study.config import Bases, Config
from clinometer.study.figure import Figure, Panel, Series
from clinometer.study.table import Runs

TITLE = "The landscape at matched loss"
NORMS = ("none", "batch")


def arms(bases: Bases) -> list[Config]:
    """Both kinds of network with and without BatchNorm."""
    return [*vgg(bases, NORMS), *dln(bases, NORMS)]


def draw(runs: Runs, bases: Bases) -> Figure:
    """A row per kind of network: loss variation, predictiveness and β over the training loss at which they are seen."""
    panels = [
        _panel(runs, both, f"{kind}: {QUANTITIES[name]}", name)
        for kind, both in (("VGG", vgg(bases, NORMS)), ("DLN", dln(bases, NORMS)))
        for name in QUANTITIES
    ]
    return Figure(
        TITLE,
        "Largest values along the gradient at the first measured step at which the loss has come down to a level, over "
        "the levels that both networks come through. Geometric mean over seeds; band: their range. At equal steps a "
        "network that learns faster is compared further down the hill; here it is not.",
        tuple(panels),
        columns=3,
    )


def _panel(runs: Runs, both: list[Config], title: str, name: str) -> Panel:
    seeds = runs.seeds(*both)
    levels = common_levels(runs, both, seeds)
    series: list[Series] = []
    for arm in both:
        logs = np.log10(at_levels(runs, arm, name, levels, seeds))
        x, y, low, high = np.exp(np.log(levels).mean(0)), logs.mean(0), logs.min(0), logs.max(0)
        series.append(Series(label(arm), arm.norm, x, 10**y, low=10**low, high=10**high))
    return Panel(title, "training loss", "", tuple(series), xscale="log", yscale="log")
