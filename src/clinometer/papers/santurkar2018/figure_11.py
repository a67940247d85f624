"""Figure 11: how the gradient changes with the size of the step, one line per step of training."""

import numpy as np

from clinometer.papers.santurkar2018.style import colour, figure
from clinometer.papers.santurkar2018.variants import dln, label, vgg
from clinometer.plots.panels import fading_lines
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 11: change of the gradient against the size of the step"
NORMS = ("none", "batch")
LINES = 12


def arms(bases: Bases) -> list[RunConfig]:
    """Both kinds of network with and without BatchNorm."""
    return [*vgg(bases, NORMS), *dln(bases, NORMS)]


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Rows (a) VGG, (b) DLN: standard and with BatchNorm against the step size, then both against the distance."""
    panels = [
        _panel(runs, arm, letter, network, field, xlabel)
        for letter, network, both in (("a", "VGG", vgg(bases, NORMS)), ("b", "DLN", dln(bases, NORMS)))
        for field, xlabel in (("sizes", "step size η"), ("distances", "distance η‖g(x)‖"))
        for arm in both
    ]
    counts = sorted({len(runs.seeds(arm)) for arm in arms(bases)})
    return figure(
        TITLE,
        "‖g(x − ηg) − g(x)‖ against the step size η, as in print, and against the distance that the step goes: one "
        "line per step of training, from light (first) to dark (last); medians over "
        f"{' or '.join(map(str, counts))} seeds. A flat, low line: a much larger step meets the same gradient.",
        panels,
        columns=4,
    )


def _panel(runs: RunTable, arm: RunConfig, letter: str, network: str, field: str, xlabel: str) -> Panel:
    gaps, x = (np.median(runs.values(arm, "landscape", name), axis=0) for name in ("grad_gaps", field))
    steps = runs.steps(arm, "landscape")
    chosen = np.unique(np.linspace(0, len(steps) - 1, LINES).astype(int))
    names = [f"step {step} ({network})" if step else "step 0" for step in steps[chosen]]  # the last are not the same
    series = fading_lines(names, colour(arm), list(x[chosen]), list(gaps[chosen]))
    ticks = tuple(x[0]) if field == "sizes" else ()
    title = f"({letter}) {network}: {label(arm)}"
    return Panel(title, xlabel, "‖g(x − ηg) − g(x)‖", series, xscale="log", yscale="log", xticks=ticks)
