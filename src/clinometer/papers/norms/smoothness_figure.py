"""How much smoother each norm makes the loss along the gradient: a forest of factors."""

import math

from clinometer.papers.norms.claims import compared
from clinometer.papers.norms.quantities import NOTHING, networks_made, of_norms
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import judge_part
from clinometer.studies.comparison import Comparison
from clinometer.studies.figure import Estimate, Figure, Panel
from clinometer.training.config import Bases, RunConfig

TITLE = "Which norms smooth the loss?"
_REFERENCES = {"none": "variation", "batch": "variation_on_batch"}


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Two panels per network, factors on none and on BatchNorm: a line per norm."""
    panels = [
        _panel(runs, name, network, on) for name, network in networks_made(runs, bases).items() for on in _REFERENCES
    ]
    return Figure(
        TITLE,
        "Scale-free loss variation along the gradient with a norm over that without one, as in N1 and N2, and "
        "over BatchNorm's, at matched loss: geometric mean over seeds with its 95% interval, each norm for itself and "
        "for one look. Shaded: smoother. A norm without a line had not begun to learn in enough seeds.",
        tuple(panels) or (NOTHING,),
        columns=1,
    )


def _panel(runs: RunTable, name: str, network: RunConfig, on: str) -> Panel:
    quantity = _REFERENCES[on]
    parts = compared(of_norms(runs, network, quantity), quantity, on)
    told = {"none": "none", "batch": "BatchNorm"}[on]
    return Panel(f"{name}, on {told}", f"factor on {told}", "", estimates=tuple(map(_estimate, parts)), xscale="log")


def _estimate(part: Comparison) -> Estimate:
    found = judge_part(part)
    value, low, high = found.effect.value, found.effect.low, found.effect.high
    text = "not measured" if math.isnan(value) else f"× {value:.2g} [{low:.2g}, {high:.2g}], n = {found.effect.n}"
    return Estimate(part.name.partition(":")[0], value, low, high, (0.0, 1.0), found.verdict, text)
