"""How this paper's figures look: the names and colours of networks, norms and kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.studies.series import StyledVariant, mean_and_range
from clinometer.training.config import RunConfig

COLOURS = {  # Okabe and Ito's
    "padded": "#D55E00",
    "circular": "#0072B2",
    "strided": "#56B4E9",
    "p4": "#009E73",
    "graph": "#CC79A7",
    "set": "#E69F00",
    "none": "#D55E00",
    "pair": "#0072B2",
}
LABELS = {
    "padded": "padded CNN",
    "circular": "circular CNN",
    "strided": "circular CNN, stride 2",
    "p4": "p4 group CNN",
    "graph": "graph network",
    "set": "set network",
}
FLOOR = 1e-9  # below the rounding of float32: smaller errors, and those of exactly 0, are drawn here


def figure(title: str, caption: str, panels: Sequence[Panel], columns: int = 3) -> Figure:
    """A figure in the paper's colours."""
    return Figure(title, caption, tuple(panels), columns, COLOURS)


def styled(arms: Mapping[str, RunConfig]) -> list[StyledVariant]:
    """Networks as lines."""
    return [StyledVariant(arm, LABELS.get(name, name), name) for name, arm in arms.items()]


def over_layers(variant: StyledVariant, values: Floats, seeds: Sequence[int], shade: float = 1.0) -> Series:
    """Values (seeds, layers) over the number of the layer, from 1."""
    return replace(mean_and_range(variant, np.arange(1, values.shape[1] + 1), values, seeds), shade=shade)


def seeds_told(runs: RunTable, arms: Mapping[str, RunConfig]) -> str:
    """How many seeds lines and bands stand for."""
    counts = sorted({len(runs.seeds(arm)) for arm in arms.values()})
    seeds = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    return f"Line: mean over {seeds} seeds; band, or bar where many overlap: their range."
