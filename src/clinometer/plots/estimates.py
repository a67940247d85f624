"""Draws estimates with their intervals, one a line: a panel of a forest plot."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from clinometer.plots.labels import label
from clinometer.plots.lettering import fitted, text_width
from clinometer.studies.figure import Estimate

_FRAME, _GAP = 0.5, 0.07  # inches that a panel takes beside its lines, and the room between two of these
_WIDTH = 3.4  # inches of the axes on a screen
_VERDICTS: Mapping[str, Mapping[str, Any]] = {  # in grey, too, they differ: filled, a cross, open
    "holds": {"color": "#00694C", "marker": "o", "markersize": 5},
    "fails": {"color": "#C03A00", "marker": "X", "markersize": 7, "markeredgecolor": "white", "markeredgewidth": 0.7},
    "undecided": {"color": "#6E6E6E", "marker": "o", "markersize": 5, "markerfacecolor": "white"},
}
_SHADE, _EDGE = "#DCEBF5", "#5B87A6"
_ROOM = {"log": 0.3, "linear": 0.1}  # what an axis shows at least on either side of its numbers, in its own units


@dataclass(frozen=True)
class Margins:
    """The room for words beside the axes, in points."""

    names: float  # at the left, of what is estimated
    texts: float  # at the right, of what came out; none are written where this is 0
    size: float  # of letters


MARGINS: Mapping[str, Margins] = {
    "screen": Margins(math.inf, math.inf, 7.5),
    "one": Margins(105, 0, 7.0),  # a column has no room for more than marks: the table of claims has the numbers
    "two": Margins(170, 140, 7.0),
}


def draw_estimates(
    axes: Any, estimates: Sequence[Estimate], scale: Literal["linear", "log"], margins: Margins = MARGINS["screen"]
) -> None:
    """Draw each estimate as a mark on its interval, upon the shaded range within which it should lie.

    Args:
        axes: To draw on.
        estimates: From top to bottom.
        scale: Of the axis along which they lie; a logarithmic one shows positive numbers.
        margins: For words.
    """
    left, right = _limits(estimates, scale)
    axes.set_xscale(scale)
    axes.set_xlim(left, right)
    axes.set_ylim(len(estimates) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    for place, each in enumerate(estimates):
        _draw_bounds(axes, each, place, left, right)
        _draw_interval(axes, each, place, left, right)
    _name_lines(axes, estimates, margins)
    for verdict, style in _VERDICTS.items():
        if any(each.verdict == verdict for each in estimates):
            axes.plot([], [], **style, linewidth=1.3, label=verdict)


def size_of(panels: Sequence[Sequence[Estimate]], margins: Margins) -> tuple[float, float]:
    """The width in inches that panels of these lines take, words on either side included, and their mean height."""
    every = [each for estimates in panels for each in estimates]
    names = [_fitted(each.name, margins.names, margins.size) for each in every]
    texts = [_fitted(each.text, margins.texts, margins.size) for each in every if margins.texts]
    lines = max(text.count("\n") + 1 for text in names + texts)
    beside = sum(max(text_width(text, margins.size) for text in found) for found in (names, texts) if found)
    line = 1.2 * margins.size * lines / 72 + _GAP
    return _WIDTH + beside / 72, _FRAME + line * len(every) / len(panels)


def _fitted(text: str, width: float, size: float) -> str:
    return fitted(label(text), size, width)


def _limits(estimates: Sequence[Estimate], scale: str) -> tuple[float, float]:
    """The axis's ends: every centre and bound, and of the intervals what is not much farther off."""
    logarithmic = scale == "log"

    def along(values: list[float]) -> list[float]:
        finite = [value for value in values if math.isfinite(value) and (value > 0 or not logarithmic)]
        return [math.log10(value) for value in finite] if logarithmic else finite

    core = along([number for each in estimates for number in (each.value, *each.bounds)]) or [0.0]
    ends = along([end for each in estimates for end in (each.low, each.high)]) + core
    reach = max(max(core) - min(core), _ROOM[scale])
    low, high = max(min(ends), min(core) - reach), min(max(ends), max(core) + reach)
    alone = 0.0 if logarithmic or low < high else 0.1 * abs(low)  # one number, such as the last step of a run
    room = max(0.06 * (high - low), alone, _ROOM[scale])
    return (10 ** (low - room), 10 ** (high + room)) if logarithmic else (low - room, high + room)


def _draw_bounds(axes: Any, each: Estimate, place: int, left: float, right: float) -> None:
    """Shade where it should lie, with a line at each bound."""
    low, high = each.bounds
    if not (math.isfinite(low) or math.isfinite(high)):
        return
    shown = max(low, left), min(high, right)
    axes.fill_between(shown, place - 0.5, place + 0.5, color=_SHADE, linewidth=0, zorder=0, label="where it holds")
    for bound in each.bounds:
        if math.isfinite(bound):
            axes.vlines(bound, place - 0.5, place + 0.5, color=_EDGE, linewidth=0.8, zorder=1)


def _draw_interval(axes: Any, each: Estimate, place: int, left: float, right: float) -> None:
    style = _VERDICTS[each.verdict]
    tint = style["color"]
    if not math.isnan(each.value) or math.isfinite(each.low) or math.isfinite(each.high):
        axes.hlines(place, max(each.low, left), min(each.high, right), linewidth=1.3, color=tint, zorder=2)
        for beyond, end, arrow in ((each.low < left, left, "<"), (each.high > right, right, ">")):
            if beyond:
                axes.plot(end, place, marker=arrow, markersize=4, color=tint, clip_on=False)
    if math.isfinite(each.value):
        axes.plot(each.value, place, **style, zorder=3)


def _name_lines(axes: Any, estimates: Sequence[Estimate], margins: Margins) -> None:
    """What is estimated at the left, once for the lines that share it; what came out at the right of each."""
    places: dict[str, list[int]] = {}
    for place, each in enumerate(estimates):
        places.setdefault(each.name, []).append(place)
    for found in list(places.values())[1:]:
        axes.axhline(found[0] - 0.5, color="#DDDDDD", linewidth=0.6, zorder=1)
    names = [_fitted(name, margins.names, margins.size) for name in places]
    axes.set_yticks([sum(found) / len(found) for found in places.values()], names)
    axes.tick_params(axis="y", labelsize=margins.size, length=0)
    if margins.texts:
        words = axes.secondary_yaxis("right")
        texts = [_fitted(each.text, margins.texts, margins.size) for each in estimates]
        words.set_yticks(range(len(estimates)), texts)
        words.tick_params(axis="y", labelsize=margins.size, length=0)
        words.spines["right"].set_visible(False)
