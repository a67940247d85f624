"""Figure 9: the activations of three layers of the deep linear network over training."""

from clinometer.papers.santurkar2018.style import figure, ridge_panel
from clinometer.papers.santurkar2018.variants import dln, layers_shown
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 9: activations of the deep linear network"
NORMS = ("none", "batch")


def arms(bases: Bases) -> list[RunConfig]:
    """The deep linear network with and without BatchNorm."""
    return dln(bases, NORMS)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A row per network, a panel per layer."""
    panels = [ridge_panel(runs, arm, layer) for arm in arms(bases) for layer in layers_shown("figure_09", arm)]
    return figure(
        TITLE,
        "Histograms of unit 0 of three of 25 layers over training, in one seed; each is scaled to its own peak.",
        panels,
        columns=3,
    )
