"""Figure 2: noise after BatchNorm makes the distributions unstable, and training hardly suffers."""

from clinometer.papers.santurkar2018.arms import (
    BAND,
    accuracy_panel,
    drift_panel,
    layers_shown,
    ridge_panel,
    seed_count,
)
from clinometer.study.config import Config, grid
from clinometer.study.figure import Figure, Panel
from clinometer.study.table import Runs

TITLE = "Figure 2: noise after BatchNorm"
NORMS = ("none", "batch", "noisy_batch")


def arms(base: Config) -> list[Config]:
    """The standard network, BatchNorm, and BatchNorm followed by Algorithm 1's noise."""
    return grid(base, norm=NORMS)


def draw(runs: Runs, base: Config) -> Figure:
    """A row per arm, of the histograms of one unit of three layers; before them accuracy and the drift of the means."""
    own = [{"norm": norm, "lr": base.lr} for norm in NORMS]
    firsts = (
        accuracy_panel(runs, "training accuracy", "train", own),
        accuracy_panel(runs, "test accuracy", "test", own),
        drift_panel(runs, own),
    )
    panels: list[Panel] = []
    for first, arm in zip(firsts, own, strict=True):
        panels += [first, *(ridge_panel(runs, layer, **arm) for layer in layers_shown("figure_02", base))]
    return Figure(
        TITLE,
        "Left: minibatch training accuracy, averaged over 9 steps; test accuracy; and how far the units' means move "
        "from one measured step to the next, over their standard deviation, both as root mean squares over units; mean "
        f"over layers. {BAND.format(n=seed_count(runs, **own[0]))} Right: for each network, histograms of unit 0 of "
        "three layers, before the ReLU, over training, in one seed; each is scaled to its own peak.",
        tuple(panels),
        columns=4,
    )
