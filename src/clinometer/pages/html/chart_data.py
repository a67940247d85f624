"""The numbers of a figure as JSON, from which the page's script draws charts: enough digits and no more."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clinometer.pages.html.shapes import shape_of
from clinometer.plots.looks import Look, Looks
from clinometer.plots.palette import resolve
from clinometer.readable.text import plain
from clinometer.studies.figure import Colour, Figure, Panel, Series, Values, Walk

_NUMBERS = 5_000  # of a figure, about, so that a page of twenty stays small
_POINTS = (30, 240)  # of a line, at least and at most
_DRAWN = 100  # points of a line in a drawing, which nobody can look at closer
_SEEDS = 40  # lines of single seeds in a drawing, at most
_DIGITS = 4
_DASHES: Mapping[str, list[int]] = {"-": [], "--": [7, 4], ":": [2, 3]}
_STEPS = 100  # of a walk, at most


def thinned(figure: Figure) -> Figure:
    """The figure with lines of few points: of each stretch the one that stands out most, and all that are infinite."""
    lines = sum(3 if series.each is None else len(series.each) for panel in figure.panels for series in panel.series)
    return _with_points(figure, min(max(_NUMBERS // max(lines, 1), _POINTS[0]), _POINTS[1]))


def for_drawing(figure: Figure) -> Figure:
    """The same with fewer, which nobody can look at closer; without the lines of seeds where these are very many."""
    seeds = sum(len(series.seeds) for panel in figure.panels for series in panel.series)
    if seeds > _SEEDS:
        panels = (replace(p, series=tuple(replace(s, each=None) for s in p.series)) for p in figure.panels)
        figure = replace(figure, panels=tuple(panels))
    return _with_points(figure, _DRAWN)


def _with_points(figure: Figure, points: int) -> Figure:
    return replace(figure, panels=tuple(_thin_panel(panel, points) for panel in figure.panels))


def figure_data(figure: Figure) -> str:
    """JSON that may stand in a `<script type="application/json">`: nothing in it ends that element."""
    looks = Looks(figure)
    panels = [_panel(panel, figure.palette, looks) for panel in figure.panels]
    text = json.dumps({"panels": panels}, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def is_drawn(panel: Panel) -> bool:
    """Whether the script has something to draw of it: lines along a rising x."""
    others = (panel.ridges, panel.diagram, panel.heights, panel.estimates, panel.points)
    rising = all((np.diff(np.asarray(series.x, dtype=float)) > 0).all() for series in panel.series)
    return bool(panel.series or panel.walk) and rising and not any(others)


def has_infinite(panel: Panel) -> bool:
    """Whether a line of it is infinite somewhere, so that marks stand at the frame."""
    lines = [values for series in panel.series for values in (series.y, series.low, series.high) if values is not None]
    lines += [panel.walk.losses] if panel.walk else []
    return any(bool(np.isinf(np.asarray(values, dtype=float)).any()) for values in lines)


def _panel(panel: Panel, palette: Mapping[str, str], looks: Looks) -> dict[str, Any] | None:
    if not is_drawn(panel):
        return None
    xs: list[list[Any]] = []
    return {
        "title": plain(panel.title),
        "x": plain(panel.xlabel),
        "y": plain(panel.ylabel),
        "xscale": panel.xscale,
        "yscale": panel.yscale,
        "within": float(panel.linear_within),
        "ylim": panel.ylim and [float(end) for end in panel.ylim],
        "xticks": [float(tick) for tick in panel.xticks],
        "group": plain(panel.group),
        "walk": _walk(panel.walk, palette),
        "xs": xs,
        "series": [_series(series, looks.of(series), xs) for series in panel.series],
        "verticals": [
            {"label": plain(line.label), "x": float(line.x), "colour": _hex(line.colour, palette)}
            for line in panel.verticals
        ],
    }


def _series(series: Series, look: Look, xs: list[list[Any]]) -> dict[str, Any]:
    x = _numbers(series.x, 7)
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
    if series.each is not None:
        found["seeds"], found["each"] = list(map(int, series.seeds)), [_numbers(values) for values in series.each]
    if not _is_mean_and_range(series):
        given = {"y": series.y, "low": series.low, "high": series.high}
        found |= {name: _numbers(values) for name, values in given.items() if values is not None}
    return found


def _is_mean_and_range(series: Series) -> bool:
    """Whether line and band follow from the values of each seed, so that the script can make them."""
    if series.each is None or series.y is None or series.low is None or series.high is None:
        return False
    each = np.asarray(series.each, dtype=float)
    with np.errstate(invalid="ignore"):  # infinite values of both signs have no mean
        pairs = (series.y, each.mean(0)), (series.low, each.min(0)), (series.high, each.max(0))
    return all(np.allclose(values, made, rtol=1e-6, atol=0, equal_nan=True) for values, made in pairs)


def _walk(walk: Walk | None, palette: Mapping[str, str]) -> dict[str, Any] | None:
    """Of a long run some steps, evenly over it, the last among them."""
    if walk is None or not len(walk.steps):
        return None
    shown = np.unique(np.linspace(0, len(walk.steps) - 1, min(len(walk.steps), _STEPS)).astype(int))
    return {
        "colour": _hex(walk.colour, palette),
        "steps": _numbers(walk.steps[shown], 9),
        "sizes": [_numbers(walk.sizes[at]) for at in shown],
        "losses": [_numbers(walk.losses[at]) for at in shown],
    }


def _hex(colour: Colour, palette: Mapping[str, str]) -> str:
    return resolve(colour, palette).lower()


def _numbers(values: Values, digits: int = _DIGITS) -> list[Any]:
    """Numbers for JSON: NaN as null, infinities as "+" and "-"."""
    return [_number(float(value), digits) for value in np.asarray(values, dtype=float)]


def _number(value: float, digits: int) -> Any:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "+" if value > 0 else "-"
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _thin_panel(panel: Panel, points: int) -> Panel:
    groups: dict[bytes, list[Series]] = {}
    for series in panel.series:
        groups.setdefault(np.asarray(series.x).tobytes(), []).append(series)
    kept = {key: _standing_out(found, points, panel.yscale == "log") for key, found in groups.items()}
    return replace(panel, series=tuple(_at(series, kept[np.asarray(series.x).tobytes()]) for series in panel.series))


def _at(series: Series, index: Values) -> Series:
    def chosen(values: Values | None) -> Values | None:
        return None if values is None else np.asarray(values)[..., index]

    return replace(series, **{name: chosen(getattr(series, name)) for name in ("x", "y", "low", "high", "each")})


def _standing_out(series: Sequence[Series], points: int, log: bool) -> Values:
    """Places to keep: first and last, what is not finite, and of each stretch the one farthest from its middle."""
    count = len(series[0].x)
    if count <= points:
        return np.arange(count)
    lines = [np.asarray(v, dtype=float) for s in series for v in (s.y, s.low, s.high) if v is not None]
    score = np.zeros(count)
    stretch = np.arange(count) * (points - 2) // count
    for line in lines:
        with np.errstate(divide="ignore", invalid="ignore"):
            at = np.log(line) if log else line
        finite = np.isfinite(at)
        sizes = np.bincount(stretch, finite)
        means = np.bincount(stretch, np.where(finite, at, 0.0)) / np.maximum(sizes, 1)
        spread = np.ptp(at[finite]) if finite.any() else 0.0
        score = np.maximum(score, np.where(finite, abs(np.where(finite, at, 0) - means[stretch]) / (spread or 1), 0))
        score[np.isinf(line)] = np.inf
    order = np.lexsort((-score, stretch))
    first_of = order[np.unique(stretch[order], return_index=True)[1]]
    infinite = np.flatnonzero(np.isinf(score))[:points]
    return np.unique(np.concatenate([[0, count - 1], first_of, infinite]))
