"""Reconstruction through sound: the error of held-out images over training, and what some of them become."""

from clinometer.papers.toth2019.arms import error_ratio, heard, plain, styled, unheard
from clinometer.plots.panels import reference
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import band_caption, curves, mean_and_range
from clinometer.training.config import Bases, RunConfig

TITLE = "Reconstruction through sound"


def arms(bases: Bases) -> list[RunConfig]:
    """All three networks."""
    return [heard(bases), unheard(bases), plain(bases)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """The error of held-out images over the mean image's, and the loss of the training batches."""
    lines = styled(arms(bases))
    ratios = tuple(
        mean_and_range(each, runs.steps(each.config, "test"), error_ratio(runs, each.config), runs.seeds(each.config))
        for each in lines
    )
    mean = reference("mean image", ratios[0].x, 1.0)
    return Figure(
        TITLE,
        "Left: the mean squared error of held-out digits over that of the mean training digit, which needs no sound. "
        "Right: the loss of the training batches. " + band_caption(runs, arms(bases), [each.label for each in lines]),
        (
            Panel("held-out digits", "step", "error / mean image's", (*ratios, mean), yscale="log"),
            Panel("training batches", "step", "loss", curves(runs, lines, "train", "loss"), yscale="log"),
        ),
        columns=2,
    )
