"""What the paper does not say: where β settles, with BatchNorm and without, held against 2/lr."""

from clinometer.papers.santurkar2018.style import band, figure, styled
from clinometer.papers.santurkar2018.variants import dln, high_lr, vgg
from clinometer.plots.panels import reference
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import curves
from clinometer.training.config import Bases, RunConfig

TITLE = "The plateau of β near 2/lr"
NORMS = ("none", "batch")
LOW_LR = 0.01


def arms(bases: Bases) -> list[RunConfig]:
    """Both kinds of network with and without BatchNorm, the convolutional one at three learning rates."""
    return [arm for _, row in _rows(bases) for arm in row]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel per network and learning rate: β · lr / 2, of which 1 is the edge of stability; then batch sharpness."""
    lr = bases["vgg"]["lr"]
    sharpness = _panel(
        runs, f"VGG, lr {lr:g}: batch sharpness", vgg(bases, NORMS), "batch_sharpness", "ratio", "gᵀHg / ‖g‖² · lr / 2"
    )
    return figure(
        TITLE,
        "β · lr / 2 along the gradient. Gradient descent on a quadratic is stable below 1 (dotted) and no further: a "
        "network that hovers there walks where its step is just small enough. Batch sharpness is the curvature along "
        f"the same gradient where the step starts, and β what the gradient does over ½ to 4 steps. "
        f"{band(runs, *arms(bases))}",
        (*(_panel(runs, title, row) for title, row in _rows(bases)), sharpness),
        columns=3,
    )


def _rows(bases: Bases) -> list[tuple[str, list[RunConfig]]]:
    rows = [(f"VGG, lr {lr:g}", vgg(bases, NORMS, lr)) for lr in (bases["vgg"]["lr"], high_lr(bases), LOW_LR)]
    return [*rows, (f"DLN, lr {bases['dln']['lr']:g}", dln(bases, NORMS))]


def _panel(
    runs: RunTable,
    title: str,
    row: list[RunConfig],
    probe: str = "landscape",
    field: str = "beta_lr_half",
    ylabel: str = "β · lr / 2",
) -> Panel:
    lines = curves(runs, styled(row), probe, field)
    return Panel(title, "step", ylabel, (*lines, reference("2/lr", lines[0].x, 1.0)), yscale="log")
