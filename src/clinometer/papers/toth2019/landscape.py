"""The landscape of the recurrent autoencoder with layer normalization and without."""

from clinometer.papers.toth2019.arms import heard, plain, styled
from clinometer.plots.panels import predictiveness_panel, variation_panel
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import band_caption, curves
from clinometer.training.config import Bases, RunConfig

TITLE = "The landscape with LayerNorm and without"


def arms(bases: Bases) -> list[RunConfig]:
    """The autoencoder that hears, and the same without layer normalization."""
    return [heard(bases), plain(bases)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Variation of the loss and of the gradient along the gradient; variation and headroom along the update."""
    lines = styled(arms(bases))
    return Figure(
        TITLE,
        "Along the gradient: at 0.05 to 0.4 units of the parameters, the same for both networks, whatever the gradient "
        "and the learning rate are; along the update: at half to four times Adam's step, clipping and all. "
        + band_caption(runs, arms(bases), [each.label for each in lines]),
        (
            variation_panel(runs, "loss along the gradient", lines),
            predictiveness_panel(runs, "gradient along the gradient", lines),
            variation_panel(runs, "loss along the update", lines, "landscape_update"),
            Panel(
                "headroom of the whole step",
                "step",
                "multiples of the step",
                curves(runs, lines, "headroom", "loss"),
                yscale="log",
            ),
        ),
        columns=2,
    )
