"""Figure 4: the landscape along the gradient: loss variation, gradient predictiveness, effective β-smoothness."""

from clinometer.papers.santurkar2018.style import band, figure, styled
from clinometer.papers.santurkar2018.variants import vgg
from clinometer.plots.panels import beta_panel, predictiveness_panel, variation_panel
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 4: the loss landscape along the gradient"
NORMS = ("none", "batch")


def arms(bases: Bases) -> list[RunConfig]:
    """Both networks at the scale's own learning rate."""
    return vgg(bases, NORMS)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Panels (a) range of the loss, (b) range of the gradient's change, (c) β, over probe steps of [1/2, 4] × lr."""
    shown = arms(bases)
    lines = styled(shown)
    return figure(
        TITLE,
        "(a) Range of the loss and (b) range of ‖g(x − ηg) − g(x)‖ over η from ½ to 4 times the learning rate, on the "
        "step's own batch: median over seeds of either end. (c) Effective β-smoothness; dotted: 2/lr, where gradient "
        f"descent turns unstable. {band(runs, *shown)}",
        (
            variation_panel(runs, "(a) loss variation", lines),
            predictiveness_panel(runs, "(b) gradient predictiveness", lines),
            beta_panel(runs, "(c) effective β-smoothness", lines, shown[0]["lr"]),
        ),
    )
