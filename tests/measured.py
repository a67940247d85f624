"""What matplotlib itself measures of a drawn figure: where words stand, and whether any is cut or overprinted."""

import itertools
from typing import Any

from clinometer.plots.layout import Width, layout_of
from clinometer.plots.matplotlib import DPI, draw, mpl
from clinometer.studies.figure import Figure

_SLACK = 0.5  # pixels


def drawn(figure: Figure, width: Width) -> Any:
    """The canvas after a drawing with as many dots as a file has, so that all places are final: letters are as wide as
    their dots."""
    with mpl.rc_context(layout_of(figure, width).style):
        canvas = draw(figure, width)
        canvas.set_dpi(DPI)
        canvas.draw_without_rendering()
    return canvas


def complaints(canvas: Any) -> list[str]:
    """Each legend, title and label that is cut by the edge, and each two labels of one axis that meet."""
    found: list[str] = []
    for legend in canvas.legends:
        found += _cut(canvas, "legend", legend.get_window_extent())
    for axes in [each for main in canvas.axes for each in (main, *main.child_axes)]:
        if axes.name == "3d":
            continue
        words = [axes.title, axes.xaxis.label, axes.yaxis.label]
        found += [said for each in words if each.get_text() for said in _cut(canvas, each.get_text(), _box(each))]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown = [
                words
                for tick in axis.get_major_ticks()
                for words in (tick.label1, tick.label2)
                if words.get_text() and low <= tick.get_loc() <= high and words.get_visible()
            ]
            boxes = sorted((_box(each) for each in shown), key=lambda box: (box.x0 + box.x1, box.y0 + box.y1))
            found += [said for each in shown for said in _cut(canvas, each.get_text(), _box(each))]
            found += [
                f"labels meet in {axes.get_title()!r}: {[each.get_text() for each in shown]}"
                for one, other in itertools.pairwise(boxes)
                if _overlap(one, other)
            ]
    return found


def smallest_letters(canvas: Any) -> float:
    """The size of the smallest words, in points."""
    texts = [text for axes in canvas.axes for text in (axes.title, axes.xaxis.label, *axes.get_xticklabels())]
    texts += [text for legend in canvas.legends for text in legend.get_texts()]
    return min(text.get_size() for text in texts if text.get_text())


def _box(text: Any) -> Any:
    return text.get_window_extent()


def _cut(canvas: Any, name: str, box: Any) -> list[str]:
    edge = canvas.bbox
    inside = (
        box.x0 >= edge.x0 - _SLACK
        and box.y0 >= edge.y0 - _SLACK
        and box.x1 <= edge.x1 + _SLACK
        and box.y1 <= edge.y1 + _SLACK
    )
    return [] if inside else [f"{name!r} is cut: {box.extents.round(1)} in {edge.extents.round(1)}"]


def _overlap(one: Any, other: Any) -> bool:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return wide > _SLACK and high > _SLACK
