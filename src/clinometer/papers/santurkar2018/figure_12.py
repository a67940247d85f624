"""Figure 12: training and landscape of the convolutional network under Lp normalizations."""

from clinometer.papers.santurkar2018.recorded import NORMALIZED
from clinometer.papers.santurkar2018.style import accuracy_panel, band, figure, styled
from clinometer.papers.santurkar2018.variants import vgg
from clinometer.plots.panels import beta_panel, predictiveness_panel, variation_panel
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 12: the VGG's landscape under Lp normalizations"


def arms(bases: Bases) -> list[RunConfig]:
    """The convolutional network under every normalization."""
    return vgg(bases, NORMALIZED)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Panels (a) training accuracy, (b) loss variation, (c) predictiveness, (d) β."""
    shown = arms(bases)
    lines = styled(shown)
    return figure(
        TITLE,
        "(a) Minibatch training accuracy, averaged over 9 steps; (b) range of the loss and (c) of the gradient's "
        f"change along the gradient, median over seeds of either end; (d) β, dotted: 2/lr. {band(runs, *shown)}",
        (
            accuracy_panel(runs, "(a) training accuracy", "train", shown),
            variation_panel(runs, "(b) loss variation", lines),
            predictiveness_panel(runs, "(c) gradient predictiveness", lines),
            beta_panel(runs, "(d) effective β-smoothness", lines, shown[0]["lr"], log=True),
        ),
        columns=2,
    )
