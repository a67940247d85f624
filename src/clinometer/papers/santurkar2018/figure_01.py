"""Figure 1: training and test accuracy with and without BatchNorm, and the activations of two layers over training."""

from clinometer.papers.santurkar2018.style import accuracy_panel, band, figure, ridge_panel
from clinometer.papers.santurkar2018.variants import high_lr, layers_shown, vgg
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 1: training with and without BatchNorm"
NORMS = ("none", "batch")


def arms(bases: Bases) -> list[RunConfig]:
    """Both networks at both learning rates."""
    return [*vgg(bases, NORMS), *vgg(bases, NORMS, high_lr(bases))]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Panels (a) training accuracy, (b) test accuracy, (c) histograms of one unit over training at lr 0.1."""
    shown = arms(bases)
    ridges = [ridge_panel(runs, arm, layer) for layer in layers_shown("figure_01", shown[0]) for arm in shown[:2]]
    return figure(
        TITLE,
        f"(a) Minibatch training accuracy, averaged over 9 steps, and (b) test accuracy. {band(runs, *shown)} "
        f"(c) Histograms of unit 0 of two layers, before the ReLU, over training at lr {shown[0]['lr']:g}, in one "
        "seed; each is scaled to its own peak.",
        (
            accuracy_panel(runs, "(a) training accuracy", "train", shown),
            accuracy_panel(runs, "(b) test accuracy", "test", shown),
            *ridges,
        ),
        columns=2,
    )
