"""The equivariance error over training: whether training restores what padding breaks."""

import numpy as np

from clinometer.papers.bronstein2021.configs import trained, upright
from clinometer.papers.bronstein2021.figures.style import FLOOR, figure, seeds_told
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.series import StyledVariant, mean_and_range
from clinometer.training.config import Bases, RunConfig

TITLE = "Equivariance error over training"
STAGES = {"last stage": -3, "pooled features": -2, "logits": -1}


def arms(bases: Bases) -> list[RunConfig]:
    """The padded network on digits in all rotations and upright ones, and the p4 network."""
    return [trained(bases)["padded"], upright(bases), trained(bases)["p4"]]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel for the last stage, the pooled features and the logits, under rotations."""
    padded, other, p4 = arms(bases)
    variants = [
        StyledVariant(padded, "padded CNN, all rotations", "padded"),
        StyledVariant(other, "padded CNN, upright digits", "padded", dashed=True),
        StyledVariant(p4, "p4 group CNN", "p4"),
    ]
    return figure(
        TITLE,
        "The error under rotations by right angles, in float32, of padded networks that see each digit in all four "
        "rotations (full line) or upright (dashed), and of the p4 network, whose error is rounding. "
        + seeds_told(runs, {each.label: each.config for each in variants}),
        [
            Panel(title, "step", "error", tuple(_line(runs, each, place) for each in variants), yscale="log")
            for title, place in STAGES.items()
        ],
    )


def _line(runs: RunTable, variant: StyledVariant, place: int) -> Series:
    values = runs.values(variant.config, "equivariance", "rotation")[:, :, place]
    steps, seeds = runs.steps(variant.config, "equivariance"), runs.seeds(variant.config)
    return mean_and_range(variant, steps, np.maximum(values, FLOOR), seeds)
