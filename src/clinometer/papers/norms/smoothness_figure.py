"""How much smoother each norm makes the loss along the gradient: a forest of factors."""

from clinometer.papers.norms.claims import against_none
from clinometer.papers.norms.quantities import NOTHING, networks_made, of_norms
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import judge_part
from clinometer.studies.comparison import Comparison
from clinometer.studies.figure import Estimate, Figure, Panel
from clinometer.training.config import Bases, RunConfig

TITLE = "Which norms smooth the loss?"


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A panel per network: a line per norm."""
    return Figure(
        TITLE,
        "Scale-free loss variation along the gradient with a norm over that without, at matched loss: geometric mean "
        "over seeds with its 95% interval, each norm for itself and for one look. Shaded: smoother than without.",
        tuple(_panel(runs, name, network) for name, network in networks_made(runs, bases).items()) or (NOTHING,),
        columns=1,
    )


def _panel(runs: RunTable, name: str, network: RunConfig) -> Panel:
    parts = against_none(of_norms(runs, network, "variation"), "variation")
    estimates = tuple(map(_estimate, parts))
    return Panel(name, "factor on none", "", estimates=estimates, xscale="log")


def _estimate(part: Comparison) -> Estimate:
    found = judge_part(part)
    value, low, high = found.effect.value, found.effect.low, found.effect.high
    text = f"× {value:.2g} [{low:.2g}, {high:.2g}], n = {found.effect.n}"
    return Estimate(part.name.partition(":")[0], value, low, high, (0.0, 1.0), found.verdict, text)
