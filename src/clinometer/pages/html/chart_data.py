"""The numbers of a figure as JSON, from which the page's script draws charts and writes CSV."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from clinometer.pages.html.chart_parts import heat_data, parts_data, walk_data
from clinometer.pages.html.numbers import numbers
from clinometer.pages.html.shapes import shape_of
from clinometer.pages.html.thinning import kept_places, lines_of, points_of
from clinometer.plots.looks import Look, Looks
from clinometer.plots.palette import resolve
from clinometer.readable.text import plain
from clinometer.studies.figure import Figure, Panel, Series, Values

_LONG = 20_000  # letters of JSON; what is longer is packed, so that pages of large studies are below 2 MB
_DASHES: Mapping[str, list[int]] = {"-": [], "--": [7, 4], ":": [2, 3]}


def data_block(figure: Figure) -> str:
    """A `<script>` that holds the figure's numbers and runs nothing: JSON, packed by gzip where it is long."""
    text = figure_data(figure)
    if len(text) < _LONG:
        return f'<script type="application/json">{text}</script>'
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    return f'<script type="application/gzip">{packed}</script>'


def figure_data(figure: Figure) -> str:
    """JSON that may stand in a `<script>`: nothing in it ends that element."""
    looks, points = Looks(figure), points_of(figure)
    panels = [_panel(panel, figure.palette, looks, points) for panel in figure.panels]
    text = json.dumps({"panels": panels}, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def is_drawn(panel: Panel) -> bool:
    """Whether the script has something to draw of it: lines along a rising x, or a heat map."""
    others = (panel.ridges, panel.diagram, panel.heights, panel.estimates, panel.points)
    rising = all((np.diff(np.asarray(series.x, dtype=float)) > 0).all() for series in panel.series)
    return bool(panel.series or panel.walk or panel.heat_map) and rising and not any(others)


def has_infinite(panel: Panel) -> bool:
    """Whether a line of it is infinite somewhere, so that marks stand at the frame."""
    lines = [values for series in panel.series for values in lines_of(series)]
    lines += [panel.walk.losses] if panel.walk else []
    return any(bool(np.isinf(np.asarray(values, dtype=float)).any()) for values in lines)


def _panel(panel: Panel, palette: Mapping[str, str], looks: Looks, points: int) -> dict[str, Any]:
    if not is_drawn(panel):
        return {"title": plain(panel.title), "parts": parts_data(panel)}
    xs: list[list[Any]] = []
    found: dict[str, Any] = {
        "title": plain(panel.title),
        "x": plain(panel.xlabel),
        "y": plain(panel.ylabel),
        "xscale": panel.xscale,
        "yscale": panel.yscale,
        "within": float(panel.linear_within),
        "ylim": panel.ylim and [float(end) for end in panel.ylim],
        "xticks": [float(tick) for tick in panel.xticks],
        "group": plain(panel.group),
        "walk": panel.walk and walk_data(panel.walk, palette),
        "xs": xs,
        "series": [_series(series, looks.of(series), xs, points) for series in panel.series],
        "verticals": [
            {"label": plain(line.label), "x": float(line.x), "colour": resolve(line.colour, palette).lower()}
            for line in panel.verticals
        ],
    }
    if panel.heat_map is not None:
        found["heat"] = heat_data(panel.heat_map)
    return found


def _series(series: Series, look: Look, xs: list[list[Any]], points: int) -> dict[str, Any]:
    lines = lines_of(series)
    seeds = [] if series.each is None else list(np.asarray(series.each, dtype=float))
    kept = kept_places(lines, 2 * points if len(lines) > 1 else points) if lines else np.array([], dtype=int)
    kept_of_seeds = [kept_places([line], points) for line in seeds]
    every = np.unique(np.concatenate([kept, *kept_of_seeds]))
    x = numbers(np.asarray(series.x)[every], 7)
    if x not in xs:
        xs.append(x)
    found: dict[str, Any] = {
        "label": plain(series.label),
        "colour": look.tint.lower(),
        "alpha": round(float(look.alpha), 2),
        "dashes": _DASHES[look.dashes],
        "shape": shape_of(look.mark),
        "place": (look.place + 0.5) / look.count,  # of its marks, so that they are not where another line has its own
        "x": xs.index(x),
    }
    whole = len(every) == len(series.x) and all(len(each) == len(every) for each in kept_of_seeds)
    if series.each is not None:
        found["seeds"] = list(map(int, series.seeds))
        found["each"] = [numbers(line[at]) for line, at in zip(seeds, kept_of_seeds, strict=True)]
        if not whole:
            found["each_at"] = [_strides(at, every) for at in kept_of_seeds]
    if not (whole and _is_mean_and_range(series)):
        given = {"y": series.y, "low": series.low, "high": series.high}
        found |= {name: numbers(np.asarray(each)[kept]) for name, each in given.items() if each is not None}
        if len(kept) < len(every):
            found["at"] = _strides(kept, every)
    return found


def _strides(kept: Values, every: Values) -> list[int]:
    """Where the points of a line are among all: the first place, and from each to the next, which are short numbers."""
    return np.diff(np.searchsorted(every, kept), prepend=0).tolist()


def _is_mean_and_range(series: Series) -> bool:
    """Whether line and band follow from the values of each seed, so that the script can make them."""
    if series.each is None or series.y is None or series.low is None or series.high is None:
        return False
    each = np.asarray(series.each, dtype=float)
    with np.errstate(invalid="ignore"):  # infinite values of both signs have no mean
        pairs = (series.y, each.mean(0)), (series.low, each.min(0)), (series.high, each.max(0))
    return all(np.allclose(values, made, rtol=1e-6, atol=0, equal_nan=True) for values, made in pairs)
