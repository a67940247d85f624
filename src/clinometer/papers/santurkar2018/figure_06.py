"""Figure 6: the activations of one layer over training, under each normalization."""

from clinometer.papers.santurkar2018.recorded import NORMALIZED
from clinometer.papers.santurkar2018.style import figure, ridge_panel
from clinometer.papers.santurkar2018.variants import layers_shown, vgg
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 6: activations under Lp normalizations"


def arms(bases: Bases) -> list[RunConfig]:
    """The convolutional network under every normalization."""
    return vgg(bases, NORMALIZED)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel of histograms per normalization."""
    panels = [ridge_panel(runs, arm, layer) for arm in arms(bases) for layer in layers_shown("figure_06", arm)]
    return figure(
        TITLE,
        "Histograms of unit 0 of one layer, before the ReLU, over training, in one seed; each is scaled to its own "
        "peak. Mind the axes: they differ by what the networks' activations do.",
        panels,
        columns=5,
    )
