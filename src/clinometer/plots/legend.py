"""One legend for a whole figure, in as many columns as fit."""

import itertools
from collections.abc import Sequence
from typing import Any

from clinometer.plots.lettering import fitted, text_width

_HANDLE, _PAD, _APART, _EDGE = 2.0, 0.6, 1.6, 0.8  # in letters: a sample, the room after it, between columns, around
_MOST = 4  # columns
_GREY = "#444444"


def draw_legend(canvas: Any, size: float, order: Sequence[str] = ()) -> int:
    """Draw the legend below all panels; panels that share a series share its entry. Its number of lines is returned.

    What has one name in several colours is grey: the name tells what they share, such as a step.

    Args:
        canvas: matplotlib's figure, or a part of one.
        size: Of its letters, in points.
        order: The first names; others follow as they are drawn.
    """
    found: dict[str, list[Any]] = {name: [] for name in order}
    for axes in canvas.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(name, []).append(handle)
    handles = {name: of for name, of in found.items() if of}
    if not handles:
        return 0
    room = 72 * float(canvas.get_figure(root=True).get_figwidth())
    sample = (_HANDLE + _PAD) * size
    names = [fitted(name, size, room - sample - 2 * _EDGE * size) for name in handles]
    columns = next(
        count for count in range(min(len(names), _MOST), 0, -1) if count == 1 or _width(names, count, size) <= room
    )
    canvas.legend(
        [_shared(of) for of in handles.values()],
        names,
        loc="outside lower center",
        ncols=columns,
        fontsize=size,
        handlelength=_HANDLE,
        handletextpad=_PAD,
        columnspacing=_APART,
        borderpad=0.2,
    )
    return max(sum(name.count("\n") + 1 for name in column) for column in _columns(names, columns))


def _columns(names: list[str], count: int) -> list[list[str]]:
    """As matplotlib fills columns: the first ones have one entry more."""
    rows, more = divmod(len(names), count)
    starts = [column * rows + min(column, more) for column in range(count + 1)]
    return [names[a:b] for a, b in itertools.pairwise(starts)]


def _width(names: list[str], count: int, size: float) -> float:
    """Points that the legend takes in so many columns."""
    widths = [max(text_width(name, size) for name in column) for column in _columns(names, count)]
    letters = count * (_HANDLE + _PAD) + (count - 1) * _APART + 2 * _EDGE
    return sum(widths) + letters * size


def _shared(handles: list[Any]) -> Any:
    """The first handle, in grey if another has another colour."""
    from matplotlib.lines import Line2D

    lines = [handle for handle in handles if isinstance(handle, Line2D)]
    if len(lines) < 2 or len({line.get_color() for line in lines}) == 1:
        return handles[0]
    first: Any = lines[0]
    style: Any = {"linestyle": first.get_linestyle(), "linewidth": first.get_linewidth(), "alpha": first.get_alpha()}
    return Line2D([], [], color=_GREY, marker=first.get_marker(), markersize=first.get_markersize(), **style)
