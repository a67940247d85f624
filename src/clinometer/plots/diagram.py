"""Draws a diagram: boxes joined by arrows."""

from collections.abc import Mapping
from typing import Any

from clinometer.plots.labels import label
from clinometer.plots.palette import resolve
from clinometer.studies.figure import Diagram


def draw_diagram(axes: Any, diagram: Diagram, palette: Mapping[str, str]) -> None:
    """Draw boxes and the arrows between them.

    Args:
        axes: matplotlib's, without a line yet.
        diagram: What to draw.
        palette: The figure's own colours.
    """
    axes.set_axis_off()
    axes.set_xlim(-0.9, max(box.x for box in diagram.boxes) + 0.9)
    axes.set_ylim(-1, 1)
    drawn = [
        axes.text(
            box.x,
            box.y,
            label(box.text),
            ha="center",
            va="center",
            bbox={
                "boxstyle": "round,pad=0.6",
                "facecolor": resolve(box.colour, palette),
                "alpha": 0.25,
                "edgecolor": "#333333",
            },
        )
        for box in diagram.boxes
    ]
    for start, end, name in diagram.arrows:
        axes.annotate(
            "",
            xy=(diagram.boxes[end].x, diagram.boxes[end].y),
            xytext=(diagram.boxes[start].x, diagram.boxes[start].y),
            arrowprops={
                "arrowstyle": "-|>",
                "color": "#333333",
                "patchA": drawn[start].get_bbox_patch(),
                "patchB": drawn[end].get_bbox_patch(),
                "shrinkA": 2,
                "shrinkB": 2,
            },
        )
        middle = (diagram.boxes[start].x + diagram.boxes[end].x) / 2
        axes.text(middle, 0.12, label(name), ha="center")
