"""Figure 1: training and test accuracy with and without BatchNorm, and the activations of two layers over training."""

from clinometer.papers.santurkar2018.arms import BAND, accuracy_panel, layers_shown, ridge_panel, seed_count
from clinometer.study.config import Config, grid
from clinometer.study.figure import Figure
from clinometer.study.table import Runs

TITLE = "Figure 1: training with and without BatchNorm"
LRS = (0.1, 0.5)


def arms(base: Config) -> list[Config]:
    """Both networks at both learning rates."""
    return grid(base, norm=["none", "batch"], lr=LRS)


def draw(runs: Runs, base: Config) -> Figure:
    """Panels (a) training accuracy, (b) test accuracy, (c) histograms of one unit over training at lr 0.1."""
    pairs = [{"norm": norm, "lr": lr} for lr in LRS for norm in ("none", "batch")]
    ridges = [
        ridge_panel(runs, layer, norm=norm, lr=LRS[0])
        for layer in layers_shown("figure_01", base)
        for norm in ("none", "batch")
    ]
    return Figure(
        TITLE,
        f"(a) Minibatch training accuracy, averaged over 9 steps, and (b) test accuracy. "
        f"{BAND.format(n=seed_count(runs, **pairs[0]))} (c) Histograms of unit 0 of two layers, before the ReLU, "
        f"over training at lr {LRS[0]:g}, in one seed; each is scaled to its own peak.",
        (
            accuracy_panel(runs, "(a) training accuracy", "train", pairs),
            accuracy_panel(runs, "(b) test accuracy", "test", pairs),
            *ridges,
        ),
        columns=2,
    )
