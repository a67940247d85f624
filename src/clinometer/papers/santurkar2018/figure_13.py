"""Figure 13: training and landscape of the deep linear network under Lp normalizations."""

from clinometer.papers.santurkar2018.recorded import NORMALIZED
from clinometer.papers.santurkar2018.style import band, figure, styled
from clinometer.papers.santurkar2018.variants import dln
from clinometer.plots.panels import beta_panel, loss_panel, predictiveness_panel, variation_panel
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 13: the deep linear network's landscape under Lp normalizations"


def arms(bases: Bases) -> list[RunConfig]:
    """The deep linear network under every normalization."""
    return dln(bases, NORMALIZED)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Panels (a) training loss, (b) loss variation, (c) predictiveness, (d) β."""
    shown = arms(bases)
    lines = styled(shown)
    return figure(
        TITLE,
        "(a) Training loss; (b) range of the loss and (c) of the gradient's change along the gradient, median over "
        f"seeds of either end; (d) β, dotted: 2/lr. {band(runs, *shown)}",
        (
            loss_panel(runs, "(a) training loss", lines),
            variation_panel(runs, "(b) loss variation", lines),
            predictiveness_panel(runs, "(c) gradient predictiveness", lines),
            beta_panel(runs, "(d) effective β-smoothness", lines, shown[0]["lr"], log=True),
        ),
        columns=2,
    )
