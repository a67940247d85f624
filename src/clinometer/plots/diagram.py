"""Draws a diagram: boxes joined by arrows."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.plots.labels import label
from clinometer.plots.lettering import text_width
from clinometer.plots.library import import_matplotlib
from clinometer.plots.palette import resolve
from clinometer.studies.figure import Diagram

_PAD = 0.45  # around the words of a box, in letters
_EDGE = 4  # points beside the boxes
_ARROW = 20  # points that an arrow with its name takes


def draw_diagram(axes: Any, diagram: Diagram, palette: Mapping[str, str]) -> None:
    """Draw boxes and the arrows between them.

    Args:
        axes: matplotlib's, without a line yet.
        diagram: What to draw.
        palette: The figure's own colours.
    """
    axes.set_axis_off()
    width = 72 * float(axes.get_figure(root=True).get_figwidth()) - 2 * _EDGE
    axes.set_xlim(0, width)
    axes.set_ylim(-1, 1)
    size = float(import_matplotlib().rcParams["font.size"])
    half = [text_width(label(box.text), size) / 2 + _PAD * size for box in diagram.boxes]
    places = _places([box.x for box in diagram.boxes], half, width)
    drawn = [
        axes.text(
            x,
            box.y,
            label(box.text),
            ha="center",
            va="center",
            bbox={
                "boxstyle": f"round,pad={_PAD}",
                "facecolor": resolve(box.colour, palette),
                "alpha": 0.25,
                "edgecolor": "#333333",
            },
        )
        for x, box in zip(places, diagram.boxes, strict=True)
    ]
    for start, end, name in diagram.arrows:
        axes.annotate(
            "",
            xy=(places[end], diagram.boxes[end].y),
            xytext=(places[start], diagram.boxes[start].y),
            arrowprops={
                "arrowstyle": "-|>",
                "color": "#333333",
                "patchA": drawn[start].get_bbox_patch(),
                "patchB": drawn[end].get_bbox_patch(),
                "shrinkA": 2,
                "shrinkB": 2,
            },
        )
        middle = (places[start] + half[start] + places[end] - half[end]) / 2
        axes.text(middle, 0.12, label(name), ha="center")


def _places(x: Sequence[float], half: Sequence[float], width: float) -> list[float]:
    """Where boxes stand, in points: as the diagram says, or evenly where that leaves no room for an arrow.

    Args:
        x: Their centres in the diagram's own units, rising.
        half: Half of what each takes.
        width: Of all.
    """
    room = width - half[0] - half[-1]
    places = [half[0] + room * (each - x[0]) / ((x[-1] - x[0]) or 1.0) for each in x]
    gaps = [b - hb - a - ha for (a, ha), (b, hb) in itertools.pairwise(zip(places, half, strict=True))]
    if min(gaps, default=_ARROW) >= _ARROW:
        return places
    gap = (width - 2 * sum(half)) / max(len(x) - 1, 1)
    return [sum(2 * wide + gap for wide in half[:place]) + half[place] for place in range(len(x))]
