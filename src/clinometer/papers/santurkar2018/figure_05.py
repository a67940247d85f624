"""Figure 5: networks normalized by the average L1, L2 and L∞ norm train as well as those with BatchNorm."""

from clinometer.papers.santurkar2018.recorded import NORMALIZED
from clinometer.papers.santurkar2018.style import accuracy_panel, band, figure, styled
from clinometer.papers.santurkar2018.variants import dln, vgg
from clinometer.plots.panels import loss_panel
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 5: Lp normalizations"


def arms(bases: Bases) -> list[RunConfig]:
    """Both kinds of network under every normalization."""
    return [*vgg(bases, NORMALIZED), *dln(bases, NORMALIZED)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Panels (a) training accuracy of the VGG, (b) training loss of the DLN."""
    return figure(
        TITLE,
        f"(a) Minibatch training accuracy, averaged over 9 steps. (b) Training loss. {band(runs, *arms(bases))}",
        (
            accuracy_panel(runs, "(a) VGG", "train", vgg(bases, NORMALIZED)),
            loss_panel(runs, "(b) DLN", styled(dln(bases, NORMALIZED))),
        ),
        columns=2,
    )
