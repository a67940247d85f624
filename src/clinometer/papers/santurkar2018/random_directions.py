"""Section 3.2: the landscape along random directions, of which the paper says that it is alike and shows nothing."""

from clinometer.papers.santurkar2018.configs import DISTANCES, DLN_DISTANCES
from clinometer.papers.santurkar2018.style import band, figure, styled
from clinometer.papers.santurkar2018.variants import dln, vgg
from clinometer.plots.panels import beta_panel, predictiveness_panel, variation_panel
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure
from clinometer.training.config import Bases, RunConfig

TITLE = "The loss landscape along random directions"
NORMS = ("none", "batch")
PROBE = "landscape_random"


def arms(bases: Bases) -> list[RunConfig]:
    """Both kinds of network with and without BatchNorm."""
    return [*vgg(bases, NORMS), *dln(bases, NORMS)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A row per kind of network: the panels of Figures 4 and 10, along Gaussian directions, at equal distances."""
    panels = [
        panel
        for kind, both in (("VGG", vgg(bases, NORMS)), ("DLN", dln(bases, NORMS)))
        for panel in (
            variation_panel(runs, f"{kind}: loss variation", styled(both), PROBE),
            predictiveness_panel(runs, f"{kind}: gradient predictiveness", styled(both), PROBE),
            beta_panel(runs, f"{kind}: effective β-smoothness", styled(both), both[0]["lr"], PROBE, log=True),
        )
    ]
    return figure(
        TITLE,
        "As Figures 4 and 10, along a Gaussian direction, another at each step, of which both networks walk the same "
        f"distances: {_listed(DISTANCES)} in units of the parameters in the VGG, {_listed(DLN_DISTANCES)} in the deep "
        f"linear network. {band(runs, *arms(bases))}",
        panels,
    )


def _listed(distances: tuple[float, ...]) -> str:
    return ", ".join(f"{distance:g}" for distance in distances)
