"""Figure 2: noise after BatchNorm makes the distributions unstable, and training hardly suffers."""

from clinometer.analysis.drift import between_steps, drift_steps
from clinometer.papers.santurkar2018.style import accuracy_panel, band, figure, ridge_panel, styled
from clinometer.papers.santurkar2018.variants import layers_shown, vgg
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import mean_and_range
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 2: noise after BatchNorm"
NORMS = ("none", "batch", "noisy_batch")


def arms(bases: Bases) -> list[RunConfig]:
    """The standard network, BatchNorm, and BatchNorm followed by Algorithm 1's noise."""
    return vgg(bases, NORMS)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A row per arm, of the histograms of one unit of three layers; before them accuracy and the drift of the means."""
    shown = arms(bases)
    firsts = (
        accuracy_panel(runs, "training accuracy", "train", shown),
        accuracy_panel(runs, "test accuracy", "test", shown),
        _drift_panel(runs, shown),
    )
    panels: list[Panel] = []
    for first, arm in zip(firsts, shown, strict=True):
        panels += [first, *(ridge_panel(runs, arm, layer) for layer in layers_shown("figure_02", arm))]
    return figure(
        TITLE,
        "Left: minibatch training accuracy, averaged over 9 steps; test accuracy; and how far the units' means move "
        "from one step to the next, over their standard deviation, both as root mean squares over units; mean "
        f"over layers. {band(runs, *shown)} Right: for each network, histograms of unit 0 of three layers, before the "
        "ReLU, over training, in one seed; each is scaled to its own peak.",
        panels,
        columns=4,
    )


def _drift_panel(runs: RunTable, shown: list[RunConfig]) -> Panel:
    series = tuple(
        mean_and_range(
            each,
            drift_steps(runs, each.config),
            between_steps(runs, each.config).relative.mean(2),
            runs.seeds(each.config),
        )
        for each in styled(shown)
    )
    return Panel("drift of the means", "step", "change / standard deviation", series)
