"""Draws named points with the intervals of both coordinates: one quantity of several things against another."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clinometer.plots.labels import label
from clinometer.plots.palette import resolve
from clinometer.studies.figure import Point

_LETTERS = 7.0  # points
_WIDE, _HIGH = 0.6 * _LETTERS, 1.15 * _LETTERS  # of a letter, in points
_PLACES = tuple(
    (x, y) for y in (5, -5, 11, -11, 17, -17, 23, -23, 29, -29) for x in (4, -4)
)  # of a name, in points from its point


def draw_points(axes: Any, points: Sequence[Point], palette: Mapping[str, str]) -> None:
    """Draw each point with its intervals, and its name where the fewest names and points are in the way.

    The axes' scales must be set. Limits follow from the points, and from their intervals as far as these reach no
    further than the points lie apart: one that is thousands of times as wide ends at the frame.
    """
    shown = [point for point in points if np.isfinite([point.x, point.y]).all()]
    for point in shown:
        tint = resolve(point.colour, palette)
        bars = {"elinewidth": 0.8, "ecolor": tint, "alpha": 0.45}
        axes.errorbar(point.x, point.y, _ends(point.y, point.y_ends), _ends(point.x, point.x_ends), "none", **bars)
        axes.plot(point.x, point.y, "o", color=tint, markersize=4)
    if shown:
        axes.set_xlim(_limits(axes.xaxis, [p.x for p in shown], [p.x_ends for p in shown]))
        axes.set_ylim(_limits(axes.yaxis, [p.y for p in shown], [p.y_ends for p in shown]))
    taken = _in_points(axes, shown)
    boxes: list[tuple[float, float, float, float]] = [(x - 3, y - 3, x + 3, y + 3) for x, y in taken]
    for point, (x, y) in zip(shown, taken, strict=True):
        far = [_box(x, y, place, point.name) for place in _PLACES]
        chosen = min(range(len(far)), key=lambda index: (sum(_overlap(far[index], box) for box in boxes), index))
        boxes.append(far[chosen])
        dx, dy = _PLACES[chosen]
        axes.annotate(
            label(point.name),
            (point.x, point.y),
            (dx, dy),
            textcoords="offset points",
            fontsize=_LETTERS,
            ha="left" if dx > 0 else "right",
            va="center",
            color=resolve(point.colour, palette),
        )


def _limits(axis: Any, values: Sequence[float], ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """From where to where an axis shows its points, in the axis's own scale."""
    scale = axis.get_transform()
    at, reached = (scale.transform(np.array(each, dtype=float)) for each in (values, ends))
    apart = max(np.ptp(at), 1e-3 * max(abs(at).max(), 1.0))
    low = max(np.nanmin([*reached.ravel(), at.min()]), at.min() - apart)
    high = min(np.nanmax([*reached.ravel(), at.max()]), at.max() + apart)
    return tuple(scale.inverted().transform([low - 0.08 * apart, high + 0.08 * apart]))


def _ends(value: float, ends: tuple[float, float]) -> Any:
    """How far an interval reaches on both sides of its value; none where it is not finite."""
    reach = np.array([[value - ends[0]], [ends[1] - value]])
    return reach if np.isfinite(reach).all() else None


def _in_points(axes: Any, points: Sequence[Point]) -> list[tuple[float, float]]:
    """Where points stand, in points from the lower left of axes that are about as large: labels may yet move them."""
    inside = axes.transData + axes.transAxes.inverted()
    shares = inside.transform([(point.x, point.y) for point in points]) if points else []
    place = axes.get_position()
    wide, high = (72 * side for side in axes.get_figure(root=True).get_size_inches())
    return [(wide * place.width * float(x), high * place.height * float(y)) for x, y in shares]


def _box(x: float, y: float, place: tuple[int, int], name: str) -> tuple[float, float, float, float]:
    left = x + place[0] - (_WIDE * len(name) if place[0] < 0 else 0)
    return left, y + place[1] - _HIGH / 2, left + _WIDE * len(name), y + place[1] + _HIGH / 2


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two boxes (left, low, right, high) share."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)
