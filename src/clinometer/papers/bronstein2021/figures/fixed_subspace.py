"""Where gradients point: outside of the fixed subspace of a symmetry of the weights, or not."""

import numpy as np

from clinometer.papers.bronstein2021.configs import on_orbits
from clinometer.papers.bronstein2021.figures.style import figure, seeds_told
from clinometer.papers.bronstein2021.names import FIXED_SUBSPACE
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.series import StyledVariant, mean_and_range
from clinometer.training.config import Bases, RunConfig

TITLE = "Gradients in the fixed subspace of rotated filters"
_FLOOR = 1e-18  # shares of exactly 0 are drawn here
TOLD = {
    "gradient": "gradient, from symmetric filters",
    "weights": "weights, from symmetric filters",
    "drawn": "gradient, at filters as drawn",
}


def arms(bases: Bases) -> list[RunConfig]:
    """Networks that start with symmetric filters, on images in all rotations and on upright ones."""
    return list(on_orbits(bases).values())


def draw(runs: RunTable, bases: Bases) -> Figure:
    """The share outside of the fixed subspace over training: of the gradient, the weights, and away from it."""
    networks = on_orbits(bases)
    colours = {"all rotations": "p4", "upright": "padded"}
    variants = [StyledVariant(arm, name, colours[name]) for name, arm in networks.items()]
    return figure(
        TITLE,
        "Share ‖(I − Π) v‖ / ‖v‖ outside of the subspace that rotating all filters leaves as it is, in float64, of a "
        "padded network trained on images in all four rotations or on upright ones. Symmetric images keep symmetric "
        f"filters so; at other filters the gradient leaves the subspace on both. {seeds_told(runs, networks)}",
        [
            Panel(title, "step", "share outside", tuple(_line(runs, each, field) for each in variants), yscale="log")
            for field, title in TOLD.items()
        ],
    )


def _line(runs: RunTable, variant: StyledVariant, field: str) -> Series:
    values = np.maximum(runs.values(variant.config, FIXED_SUBSPACE, field), _FLOOR)
    return mean_and_range(variant, runs.steps(variant.config, FIXED_SUBSPACE), values, runs.seeds(variant.config))
