"""Figure 11: how the gradient changes with the size of the step, one line per step of training."""

import numpy as np

from clinometer.papers.santurkar2018.arms import dln, label, vgg
from clinometer.study.config import Bases, Config
from clinometer.study.figure import Figure, Panel, Series
from clinometer.study.table import Runs

TITLE = "Figure 11: change of the gradient against the size of the step"
NORMS = ("none", "batch")
LINES = 12


def arms(bases: Bases) -> list[Config]:
    """Both kinds of network with and without BatchNorm."""
    return [*vgg(bases, NORMS), *dln(bases, NORMS)]


def draw(runs: Runs, bases: Bases) -> Figure:
    """Panels (a) VGG, (b) DLN, each standard and with BatchNorm."""
    panels = [
        _panel(runs, arm, f"({letter}) {name}: {label(arm)}")
        for letter, name, both in (("a", "VGG", vgg(bases, NORMS)), ("b", "DLN", dln(bases, NORMS)))
        for arm in both
    ]
    return Figure(
        TITLE,
        "‖g(x − ηg) − g(x)‖ against the step size η: one line per step of training, from light (first) to dark "
        "(last); median over seeds. A flat, low line means that a much larger step meets the same gradient.",
        tuple(panels),
        columns=2,
    )


def _panel(runs: Runs, arm: Config, title: str) -> Panel:
    gaps = np.median(runs.values(arm, "landscape", "grad_gaps"), axis=0)  # (steps, sizes)
    sizes = runs.values(arm, "landscape", "sizes")[0, 0]
    steps = runs.steps(arm, "landscape")
    chosen = np.unique(np.linspace(0, len(steps) - 1, LINES).astype(int))
    series = tuple(
        Series(
            f"step {steps[index]}" if index in (chosen[0], chosen[-1]) else "",
            arm.norm,
            sizes,
            gaps[index],
            shade=place / max(len(chosen) - 1, 1),
        )
        for place, index in enumerate(chosen)
    )
    return Panel(title, "step size η", "‖g(x − ηg) − g(x)‖", series, xscale="log", yscale="log", xticks=tuple(sizes))
