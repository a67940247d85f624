"""Section 2.1: the noise of Algorithm 1 on the standard network, without BatchNorm."""

from clinometer.papers.santurkar2018.style import accuracy_panel, band, figure
from clinometer.papers.santurkar2018.variants import vgg
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "Noise without BatchNorm"


def arms(bases: Bases) -> list[RunConfig]:
    """The standard network without and with noise, and BatchNorm with it."""
    return vgg(bases, ["none", "noise", "noisy_batch"])


def draw(runs: RunTable, bases: Bases) -> Figure:
    """One panel: training accuracy."""
    shown = arms(bases)
    return figure(
        TITLE,
        f"Minibatch training accuracy, averaged over 9 steps. {band(runs, *shown)}",
        (accuracy_panel(runs, "training accuracy", "train", shown),),
        columns=1,
    )
