"""How smooth each norm makes the loss, against how large a rate it trains at and how well it trains."""

from collections.abc import Mapping

from clinometer.papers.norms.configs import NORMS
from clinometer.papers.norms.in_units import in_units
from clinometer.papers.norms.quantities import NOTHING, QUANTITIES, networks_made, of_norms
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel, Point
from clinometer.training.config import Bases, RunConfig

TITLE = "Does smoothness predict training?"
COLOURS = {"samples": "#0072B2", "batch": "#D55E00", "weights": "#009E73", "neither": "#333333"}
KINDS: Mapping[str, str] = {  # what a norm's statistics are of
    **dict.fromkeys(("batch", "l1", "l2", "linf", "ghost_batch", "batch_renorm"), "batch"),
    **dict.fromkeys(("layer", "group", "instance", "rms", "filter_response"), "samples"),
    **dict.fromkeys(("weight", "weight_standardization", "spectral", "mean_spectral"), "weights"),
    **dict.fromkeys(("none", "dynamic_tanh", "fixup"), "neither"),
}


def draw(runs: RunTable, bases: Bases) -> Figure:
    """A row per network: the largest trainable rate, and the accuracy at the best rate, over the loss variation."""
    panels = [
        _panel(runs, name, network, outcome)
        for name, network in networks_made(runs, bases).items()
        for outcome in ("largest", "best_accuracy")
    ]
    return Figure(
        TITLE,
        "Each point is a norm: scale-free loss variation at matched loss as a factor on that of BatchNorm, left is "
        "smoother; mean over seeds with Student's 95% interval of each coordinate, cut at the frame. Orange: norms of "
        "the batch's statistics; blue: of each sample's; green: of the weights; black: none, fixup and dynamic tanh.",
        tuple(panels) or (NOTHING,),
        columns=2,
        palette=COLOURS,
    )


def _panel(runs: RunTable, name: str, network: RunConfig, outcome: str) -> Panel:
    smooth, trained = (of_norms(runs, network, each) for each in ("variation_on_batch", outcome))
    points: list[Point] = []
    for norm, *values in zip(NORMS, smooth, trained, strict=True):
        x, y = (in_units(QUANTITIES[q], each) for q, each in zip(("variation_on_batch", outcome), values, strict=True))
        points.append(Point(norm, x.value, y.value, (x.low, x.high), (y.low, y.high), KINDS[norm]))
    rate = QUANTITIES[outcome].scale == "log2"
    return Panel(
        name,
        "scale-free loss variation, factor on BatchNorm",
        QUANTITIES[outcome].told + ("" if rate else ", %"),
        points=tuple(points),
        xscale="log",
        yscale="log" if rate else "linear",
    )
