"""Figure 8: how far the distributions of activations move, from a step to the next and from the first step."""

from collections.abc import Callable

from clinometer.analysis.drift import Moved, between_steps, drift_steps, from_start
from clinometer.papers.santurkar2018.style import band, figure, layer_index, styled
from clinometer.papers.santurkar2018.variants import layers_shown, vgg
from clinometer.results.run_table import RunTable
from clinometer.studies.figure import Figure, Panel
from clinometer.studies.series import mean_and_range
from clinometer.training.config import Bases, RunConfig

TITLE = "Figure 8: stability of the activations"
NORMS = ("none", "batch", "noisy_batch")


def arms(bases: Bases) -> list[RunConfig]:
    """The standard network, BatchNorm, and BatchNorm with noise."""
    return vgg(bases, NORMS)


def draw(runs: RunTable, bases: Bases) -> Figure:
    """Rows: mean and variance from step to step, mean and variance from step 0. Columns: layers."""
    shown = arms(bases)
    layers = layers_shown("figure_08", shown[0])
    panels = [
        _panel(runs, shown, layer, f"{moment} {change}", moment, measure)
        for change, measure in (("step to step", between_steps), ("from step 0", from_start))
        for moment in ("mean", "var")
        for layer in layers
    ]
    return figure(
        TITLE,
        "Change of the units' means and variances, as a root mean square over units, before the ReLU; each step on "
        f"its own batch. {band(runs, *shown)}",
        panels,
        columns=len(layers),
    )


def _panel(
    runs: RunTable,
    shown: list[RunConfig],
    layer: int,
    title: str,
    moment: str,
    measure: Callable[[RunTable, RunConfig], Moved],
) -> Panel:
    first = int(measure is from_start)  # at step 0 nothing has moved from it
    series = tuple(
        mean_and_range(
            each,
            drift_steps(runs, each.config)[first:],
            getattr(measure(runs, each.config), moment)[:, first:, layer_index(runs, each.config, layer)],
            runs.seeds(each.config),
        )
        for each in styled(shown)
    )
    return Panel(f"layer {layer}: {title}", "step", "change", series, yscale="log", group=f"layer {layer}")
