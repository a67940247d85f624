"""Numbers that are no lines, for the script: heat maps and walks, which it draws, and what it only writes as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from clinometer.pages.html.numbers import number, numbers
from clinometer.plots.data import Part, parts_of
from clinometer.plots.heat_map import colour_scale, joined
from clinometer.plots.palette import resolve
from clinometer.plots.ridges import shown_ridges
from clinometer.readable.text import plain
from clinometer.studies.figure import HeatMap, Panel, Walk

_STEPS = 100  # of a walk, at most
_CELLS = 12_000  # of a heat map, about
_COLUMNS = (40, 160)  # of a heat map, at least and at most, where steps are joined
_STOPS = 33  # colours between which the script draws others


def walk_data(walk: Walk, palette: Mapping[str, str]) -> dict[str, Any] | None:
    """Of a long run some steps, evenly over it, the last among them."""
    if not len(walk.steps):
        return None
    shown = np.unique(np.linspace(0, len(walk.steps) - 1, min(len(walk.steps), _STEPS)).astype(int))
    return {
        "colour": resolve(walk.colour, palette).lower(),
        "steps": numbers(walk.steps[shown], 9),
        "sizes": [numbers(walk.sizes[at]) for at in shown],
        "losses": [numbers(walk.losses[at]) for at in shown],
    }


def heat_data(heat: HeatMap) -> dict[str, Any]:
    """The cells of a heat map and its colours, which are those of its drawing."""
    columns = min(max(_CELLS // max(len(heat.names), 1), _COLUMNS[0]), _COLUMNS[1])
    first, last, values = joined(heat, columns)
    scale = colour_scale(heat)
    found: dict[str, Any] = {
        "names": [plain(name) for name in heat.names],
        "x": numbers(first, 9),
        "values": [numbers(row) for row in values],
        "unit": plain(heat.unit),
        "limit": heat.limit,
        "low": number(scale.low),
        "high": number(scale.high),
        "log": scale.log,
        "colours": " ".join(scale.colours(_STOPS)),
    }
    if (last > first).any():
        found["to"] = numbers(last, 9)  # the last step of each column, whose highest value is shown
    return found


def parts_data(panel: Panel) -> list[list[Any]]:
    """Rows of the figure's CSV: kind, name, statistic and count of those that share these, then their x, y and z."""
    if panel.ridges is not None:
        panel = replace(panel, ridges=shown_ridges(panel.ridges))
    groups = groupby(parts_of(panel), key=lambda part: (*part[:3], part[3] if part[0] == "heights" else ""))
    return [_group(kind, plain(name), statistic, list(rows)) for (kind, name, statistic, _), rows in groups]


def _group(kind: str, name: str, statistic: str, rows: Sequence[Part]) -> list[Any]:
    columns = zip(*(row[3:] for row in rows), strict=True)
    return [kind, name, statistic, len(rows), *map(_short, columns)]


def _short(column: Sequence[float | str]) -> Any:
    """A column: one value where all are alike, first and last where they are evenly spaced, or else its numbers."""
    if all(isinstance(value, str) for value in column):
        return column[0]
    values = np.asarray(column, dtype=float)
    if len(set(numbers(values, 7))) == 1:
        return number(float(values[0]), 7)
    even = np.linspace(values[0], values[-1], len(values))
    with np.errstate(invalid="ignore"):
        apart = abs(values - even) <= 1e-6 * abs(values[-1] - values[0])  # bins of float32 are not exact to more
    if len(values) > 4 and apart.all():
        return {"from": number(float(values[0]), 9), "to": number(float(values[-1]), 9)}
    return numbers(values)
