"""Draws a number for each layer over the steps as colours, which part where the step is as long as it may be."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.plots.labels import label
from clinometer.plots.lettering import fitted
from clinometer.studies.figure import HeatMap, Values

_ONE_WAY, _TWO_WAYS = "cividis", "PuOr_r"  # both can be told apart by colour-blind readers
_COLUMNS = 160  # more steps are joined, and the highest value is shown
_SPAN = 30.0  # how far from its limit a logarithmic scale goes at most, in factors
_LONGEST = 22  # characters of a name
_ROWS = 24  # names that are written


@dataclass(frozen=True)
class ColourScale:
    """Which colours stand for which values, from the lowest to the highest."""

    low: float
    high: float
    log: bool
    name: str  # of matplotlib

    def colours(self, count: int) -> list[str]:
        """So many, evenly over the scale, as RRGGBB."""
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        return [to_hex(colour)[1:] for colour in colormaps[self.name](np.linspace(0, 1, count))]


def draw_heat_map(axes: Any, heat: HeatMap) -> None:
    """Draw a heat map with its bar of colours; a cross marks infinity, and what is unknown is left empty."""
    x, _, values = joined(heat, _COLUMNS)
    finite = values[np.isfinite(values)]
    axes.grid(visible=False)
    if not len(finite) and not np.isinf(values).any():
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing was a number", transform=axes.transAxes, ha="center")
        return
    scale = colour_scale(heat)
    norm = _norm(scale)
    shown = np.where(np.isposinf(values), norm.vmax, np.where(np.isneginf(values), norm.vmin, values))
    shown = np.ma.masked_invalid(np.clip(shown, norm.vmin, norm.vmax))
    edges = _edges(x)
    rows = np.arange(len(heat.names) + 1) - 0.5
    axes.set_facecolor("none")
    mesh = axes.pcolormesh(edges, rows, shown, cmap=scale.name, norm=norm, rasterized=True)
    places = np.argwhere(np.isinf(values))
    if len(places):
        axes.plot(x[places[:, 1]], places[:, 0], "x", color="#FFFFFF", ms=5, mew=2.6)
        axes.plot(x[places[:, 1]], places[:, 0], "x", color="#111111", ms=4.4, mew=1.2, label="infinite")
    axes.set_ylim(len(heat.names) - 0.5, -0.5)
    axes.set_xlim(edges[0], edges[-1])
    every = math.ceil(len(heat.names) / _ROWS)
    axes.set_yticks(range(0, len(heat.names), every), [_short(name) for name in heat.names[::every]], fontsize=7)
    axes.tick_params(axis="y", length=0)
    _draw_bar(axes, mesh, heat)


def heat_map_height(heat: HeatMap) -> float:
    """The height of its panel, in inches: enough for a line of each name."""
    return 1.1 + 0.16 * min(max(len(heat.names), 3), _ROWS)


def _draw_bar(axes: Any, mesh: Any, heat: HeatMap) -> None:
    bar = axes.figure.colorbar(mesh, ax=axes, shrink=0.85, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(fitted(label(heat.unit), 8, 72 * (heat_map_height(heat) - 0.8)), fontsize=8)
    if heat.limit is not None:
        bar.ax.axhline(heat.limit, color="#000000", linewidth=1.4)


def colour_scale(heat: HeatMap) -> ColourScale:
    """From the least to the largest value; where there is a limit, as far above it as below."""
    finite = heat.values[np.isfinite(heat.values)]
    positive = finite[finite > 0]
    colours = _ONE_WAY if heat.limit is None else _TWO_WAYS
    if heat.scale == "log" and (len(positive) or heat.limit):
        return ColourScale(*_log_ends(positive, heat.limit), True, colours)
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if heat.limit is not None:
        reach = max(abs(low - heat.limit), abs(high - heat.limit)) or 1.0
        return ColourScale(heat.limit - reach, heat.limit + reach, False, colours)
    return ColourScale(low, high if high > low else low + 1.0, False, colours)


def joined(heat: HeatMap, columns: int) -> tuple[Values, Values, Values]:
    """At most so many columns: of each its first and its last step, and of those that are joined the highest value."""
    x, values = heat.x, heat.values
    if len(x) <= columns:
        return x, x, values
    ends = np.unique(np.linspace(0, len(x), columns + 1).astype(int))
    starts = ends[:-1]
    low = np.where(np.isnan(values), -np.inf, values)
    found = np.maximum.reduceat(low, starts, axis=1)
    known = np.add.reduceat(~np.isnan(values), starts, axis=1) > 0
    return x[starts], x[ends[1:] - 1], np.where(known, found, np.nan)


def _norm(scale: ColourScale) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    return (LogNorm if scale.log else Normalize)(scale.low, scale.high)


def _log_ends(positive: Values, limit: float | None) -> tuple[float, float]:
    if limit is not None:
        factors = np.maximum(positive / limit, limit / positive) if len(positive) else np.ones(1)
        reach = min(max(float(factors.max()), 2.0), _SPAN)
        return limit / reach, limit * reach
    low, high = float(positive.min()), float(positive.max())
    return (low, high) if high > low else (low / 2, low * 2)


def _edges(x: Values) -> Values:
    """The borders between columns, half-way between the steps."""
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middles = (x[1:] + x[:-1]) / 2
    return np.concatenate([[x[0] - (middles[0] - x[0])], middles, [x[-1] + (x[-1] - middles[-1])]])


def _short(name: str) -> str:
    """A name without its middle, where it is long."""
    half = _LONGEST // 2
    return label(name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}")
