"""Figure 4: the landscape along the gradient: loss variation, gradient predictiveness, effective β-smoothness."""

import numpy as np

from clinometer.papers.santurkar2018.arms import LABELS, curve, seed_count
from clinometer.study.config import Config, grid
from clinometer.study.figure import Figure, Panel, Series
from clinometer.study.table import Runs

TITLE = "Figure 4: the loss landscape along the gradient"
NORMS = ("none", "batch")


def arms(base: Config) -> list[Config]:
    """Both networks at the scale's own learning rate."""
    return grid(base, norm=NORMS)


def draw(runs: Runs, base: Config) -> Figure:
    """Panels (a) range of the loss, (b) range of the gradient's change, (c) β, over probe steps of [1/2, 4] × lr."""
    return Figure(
        TITLE,
        "(a) Range of the loss and (b) range of ‖g(x − ηg) − g(x)‖ over η from ½ to 4 times the learning rate, on the "
        f"step's own batch: median over {seed_count(runs, norm='none', lr=base.lr)} seeds of either end. (c) Effective "
        "β-smoothness; line: mean over seeds, band: their range; dotted: 2/lr, where gradient descent turns unstable.",
        (
            Panel("(a) loss variation", "step", "loss", _bands(runs, base, "loss"), yscale="log"),
            Panel("(b) gradient predictiveness", "step", "gradient change", _bands(runs, base, "gap"), yscale="log"),
            Panel("(c) effective β-smoothness", "step", "β", _betas(runs, base)),
        ),
    )


def _bands(runs: Runs, base: Config, quantity: str) -> tuple[Series, ...]:
    def band(norm: str) -> Series:
        low, high = (
            np.median(runs.values("landscape", f"{quantity}_{end}", norm=norm, lr=base.lr), axis=0)
            for end in ("min", "max")
        )
        return Series(LABELS[norm], norm, runs.steps("landscape", norm=norm, lr=base.lr), low=low, high=high)

    return tuple(band(norm) for norm in NORMS)


def _betas(runs: Runs, base: Config) -> tuple[Series, ...]:
    lines = [curve(runs, "landscape", "beta", label=LABELS[norm], norm=norm, lr=base.lr) for norm in NORMS]
    edge = Series("2/lr", "reference", lines[0].x, np.full(len(lines[0].x), 2 / base.lr), dashed=True)
    return (*lines, edge)
