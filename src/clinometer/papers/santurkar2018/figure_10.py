"""Figure 10: the landscape of the deep linear network along the gradient."""

from clinometer.papers.santurkar2018.style import band, figure, styled
from clinometer.papers.santurkar2018.variants import dln
from clinometer.plots.panels import beta_panel, predictiveness_panel, variation_panel
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 10: the loss landscape of the deep linear network"
NORMS = ("none", "batch")


def arms(bases: Bases) -> list[RunConfig]:
    """The deep linear network with and without BatchNorm."""
    return dln(bases, NORMS)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Panels (a) range of the loss, (b) range of the gradient's change, (c) β, over probe steps of [1/100, 30] × lr."""
    shown = arms(bases)
    lines = styled(shown)
    return figure(
        TITLE,
        "(a) Range of the loss and (b) range of ‖g(x − ηg) − g(x)‖ over η from 1/100 to 30 times the learning rate: "
        f"median over seeds of either end. (c) Effective β-smoothness; dotted: 2/lr. {band(runs, *shown)}",
        (
            variation_panel(runs, "(a) loss variation", lines),
            predictiveness_panel(runs, "(b) gradient predictiveness", lines),
            beta_panel(runs, "(c) effective β-smoothness", lines, shown[0]["lr"], log=True),
        ),
    )
