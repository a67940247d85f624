"""Draws histograms one behind the other: how a distribution moves over training."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from clinometer.plots.palette import resolve
from clinometer.studies.figure import Ridges

_SHOWN = 15
_HIGH = 2.2  # of a histogram, in distances between two


def shown_ridges(ridges: Ridges) -> Ridges:
    """Those that are drawn: so many, evenly over the steps, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(ridges.steps) - 1, min(_SHOWN, len(ridges.steps))).astype(int))
    return replace(ridges, steps=ridges.steps[chosen], edges=ridges.edges[chosen], counts=ridges.counts[chosen])


def draw_ridges(axes: Any, ridges: Ridges, palette: Mapping[str, str]) -> None:
    """Draw histograms from the last step at the back to the first in front, each scaled to its own peak.

    The axis of steps ends with the last step, though the last histogram rises above it.
    """
    tint = resolve(ridges.colour, palette)
    first, last = float(ridges.steps[0]), float(ridges.steps[-1])
    ridges = shown_ridges(ridges)
    gap = (last - first) / max(len(ridges.steps) - 1, 1) or 1.0
    for depth, index in enumerate(reversed(range(len(ridges.steps)))):
        edges, counts, step = ridges.edges[index], ridges.counts[index], ridges.steps[index]
        density = counts / np.maximum(np.diff(edges), 1e-12)
        height = step + _HIGH * gap * density / max(density.max(), 1e-12)
        x = (edges[1:] + edges[:-1]) / 2
        axes.fill_between(x, step, height, color=tint, alpha=0.5, linewidth=0, zorder=depth + 2)
        axes.plot(x, height, color="white", linewidth=1.0, zorder=depth + 2)
        axes.plot(x, height, color=tint, linewidth=0.5, zorder=depth + 2)
    axes.grid(visible=False)
    axes.set_ylim(first - 0.5 * gap, last + (_HIGH + 0.3) * gap)
    axes.spines["left"].set_bounds(first, last)
