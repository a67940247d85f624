"""Figure 7: the two networks that the theorems compare. A diagram: it needs no run."""

from clinometer.papers.santurkar2018.style import figure
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Box, Diagram, Figure, Panel
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 7: the two networks compared in the theory"


def arms(_bases: Bases) -> list[RunConfig]:
    """None."""
    return []


def draw(_runs: RunTable, _bases: Bases) -> Figure:
    """Panels (a) a linear layer whose output meets the loss, (b) the same with BatchNorm between."""
    vanilla = Diagram(
        (
            Box("input x", 0, 0, colour="plain"),
            Box("linear layer\ny = W x", 2, 0, colour="none"),
            Box("loss L(y)", 6.4, 0, colour="plain"),
        ),
        ((0, 1, ""), (1, 2, "y")),
    )
    normalized = Diagram(
        (
            Box("input x", 0, 0, colour="plain"),
            Box("linear layer\ny = W x", 2, 0, colour="none"),
            Box("BatchNorm\nŷ = (y − μ) / σ\nz = γ ŷ + β", 4.2, 0, colour="batch"),
            Box("loss L̂ = L(z)", 6.4, 0, colour="plain"),
        ),
        ((0, 1, ""), (1, 2, "y"), (2, 3, "z")),
    )
    return figure(
        TITLE,
        "(a) The vanilla network and (b) the same with BatchNorm between layer and loss. The theorems compare the "
        "gradient of L̂ by y (and by W) with the gradient of the same loss where BatchNorm's output stands, g = ∂L/∂z.",
        (
            Panel("(a) vanilla network", "", "", diagram=vanilla),
            Panel("(b) with BatchNorm", "", "", diagram=normalized),
        ),
        columns=1,
    )
