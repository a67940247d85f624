"""Draws a function of two coordinates, as coloured levels with lines or as a surface in space."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clinometer.plots.labels import label
from clinometer.plots.palette import resolve
from clinometer.studies.figure import Heights, Mark, Series, Values

_COLOURS = "viridis"
_FILLED, _LINES = 60, 12  # levels that are filled, and those that have a line, where the figure chooses none
_MESH = 40  # lines of a grid, each way, up to which a surface shows them
_SHAPES = {"star": ("*", 90), "circle": ("o", 34), "diamond": ("D", 30)}  # and their areas in points
_DARK = "#222222"


def draw_heights(axes: Any, heights: Heights, lines: Sequence[Series], palette: Mapping[str, str]) -> None:
    """Draw heights, lines and marks on them, and what their colours mean.

    Args:
        axes: Of the projection "3d" for a surface.
        heights: What to draw.
        lines: Lines on it, such as the path of a run.
        palette: The figure's own colours.
    """
    shown = np.ma.masked_invalid(heights.z.astype(float))
    if heights.scale == "log":
        shown = np.ma.masked_less_equal(shown, 0.0)
    axes.grid(visible=False)
    if shown.count() == 0:
        write = axes.text2D if heights.view == "surface" else axes.text
        write(0.5, 0.5, _nothing(heights), transform=axes.transAxes, ha="center")
        return
    if heights.view == "surface":
        _draw_surface(axes, heights, shown, lines, palette)
    else:
        _draw_contour(axes, heights, shown, lines, palette)


def _draw_contour(axes: Any, heights: Heights, shown: Any, lines: Sequence[Series], palette: Mapping[str, str]) -> None:
    x, y = heights.x, heights.y
    if np.ma.is_masked(shown):
        _hatch(axes, heights)
    low, high = _range(shown)
    filled = axes.contourf(
        x, y, shown.T, _levels(heights.scale, low, high, _FILLED), cmap=_COLOURS, norm=_norm(heights.scale, low, high)
    )
    filled.set_edgecolor("face")  # without it the seams between levels show
    filled.set_rasterized(True)
    wanted = heights.levels or _levels(heights.scale, low, high, _LINES)
    if levels := sorted({float(level) for level in wanted if low < level < high}):
        drawn = axes.contour(x, y, shown.T, levels=levels, colors="white", linewidths=0.6, alpha=0.7)
        axes.clabel(drawn, fmt=_short, fontsize=7)
    _draw_bar(axes, filled, heights, low, high)
    if heights.evaluated is not None and not heights.evaluated.all():
        rows, columns = np.nonzero(heights.evaluated)
        axes.scatter(x[rows], y[columns], s=2.5, color=_DARK, linewidths=0, alpha=0.7, label="evaluated", zorder=3)
    for series in lines:
        if series.y is not None:
            tint = resolve(series.colour, palette)
            axes.plot(series.x, series.y, color="white", linewidth=3.0, zorder=4)
            axes.plot(series.x, series.y, ".-", color=tint, linewidth=1.5, ms=4, label=label(series.label), zorder=5)
    for mark in heights.marks:
        _draw_mark(axes, mark, mark.x, mark.y, clip_on=False)
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])


def _draw_surface(axes: Any, heights: Heights, shown: Any, lines: Sequence[Series], palette: Mapping[str, str]) -> None:
    low, high = _range(shown)
    logarithmic = heights.scale == "log"
    z = np.log10(shown) if logarithmic else shown
    grid = np.meshgrid(heights.x, heights.y, indexing="ij")
    ends = (math.log10(low), math.log10(high)) if logarithmic else (low, high)
    axes.computed_zorder = False  # lines and marks are upon the surface, also where it hides them
    surface = axes.plot_surface(
        *grid, z.filled(np.nan), cmap=_COLOURS, vmin=ends[0], vmax=ends[1], rcount=200, ccount=200,
        edgecolor=(1, 1, 1, 0.25), linewidth=0.25 if max(z.shape) <= _MESH else 0.0, zorder=1,
    )  # fmt: skip
    surface.set_rasterized(True)
    for series in lines:
        if series.y is not None:
            above = np.array([_height_at(heights, z, a, b) for a, b in zip(series.x, series.y, strict=True)])
            tint = resolve(series.colour, palette)
            axes.plot(
                series.x, series.y, above, ".-", color=tint, linewidth=1.5, ms=4, label=label(series.label), zorder=5
            )
    for mark in heights.marks:
        _draw_mark(axes, mark, mark.x, mark.y, _height_at(heights, z, mark.x, mark.y))
    if logarithmic:
        ticks = _levels("log", low, high, 5)
        axes.set_zticks(np.log10(ticks), [_short(tick) for tick in ticks])
    axes.set_zlabel(label(heights.unit), labelpad=-2)
    axes.tick_params(pad=-2)
    axes.view_init(elev=35, azim=-58)
    axes.set_box_aspect((1, 1, 0.75), zoom=1.08)
    axes.locator_params(axis="x", nbins=5)
    axes.locator_params(axis="y", nbins=5)
    for side in (axes.xaxis, axes.yaxis, axes.zaxis):
        side.set_pane_color((0.97, 0.97, 0.97, 1.0))


def _draw_mark(axes: Any, mark: Mark, *place: float, **options: Any) -> None:
    shape, area = _SHAPES[mark.shape]
    options |= {"marker": shape, "s": area, "color": _tint(mark), "edgecolors": _DARK, "linewidths": 0.7, "zorder": 11}
    axes.scatter(*place, label=None if mark.beside else label(mark.label), **options)
    if mark.beside:
        axes.text(
            *place, f"  {label(mark.label)}", color="white", fontsize="small", zorder=12, path_effects=_outlined()
        )


def _outlined() -> list[Any]:
    """A dark rim for white text."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=1.8, foreground=_DARK)]


def _hatch(axes: Any, heights: Heights) -> None:
    """Hatching behind the levels: it shows where there are none."""
    from matplotlib.patches import Rectangle

    x, y = heights.x, heights.y
    look: dict[str, Any] = {"facecolor": "white", "edgecolor": "#999999", "hatch": "////", "linewidth": 0, "zorder": 0}
    axes.add_patch(Rectangle((x[0], y[0]), x[-1] - x[0], y[-1] - y[0], label=_nothing(heights), **look))


def _nothing(heights: Heights) -> str:
    """What is said of a place without a height that can be shown."""
    finite = heights.z[np.isfinite(heights.z)]
    return "no finite value" if heights.scale == "linear" or (finite > 0).all() else "no finite positive value"


def _draw_bar(axes: Any, filled: Any, heights: Heights, low: float, high: float) -> None:
    bar = axes.get_figure().colorbar(filled, ax=axes, fraction=0.05, pad=0.02)
    ticks = _levels(heights.scale, low, high, 6)
    bar.set_ticks(ticks, labels=[_short(tick) for tick in ticks])
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label(label(heights.unit))


def _range(shown: Any) -> tuple[float, float]:
    """The least and the greatest value, apart."""
    low, high = float(shown.min()), float(shown.max())
    apart = 1e-6 * max(abs(low), abs(high), 1e-30)
    return (low, high) if high - low > apart else (low - apart, high + apart)


def _levels(scale: str, low: float, high: float, count: int) -> Values:
    return np.geomspace(low, high, count) if scale == "log" else np.linspace(low, high, count)


def _norm(scale: str, low: float, high: float) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    return LogNorm(low, high) if scale == "log" else Normalize(low, high)


def _short(value: float) -> str:
    return f"{value:.2g}" if abs(value) < 100 or abs(value) >= 1e5 else f"{value:.0f}"


def _tint(mark: Mark) -> str:
    return "white" if mark.shape == "circle" else "#FFD23F"


def _height_at(heights: Heights, z: Any, x: float, y: float) -> float:
    """Bilinear between grid points; NaN outside of them, and beside one that is masked."""
    places = [
        int(np.clip(np.searchsorted(lines, at) - 1, 0, len(lines) - 2))
        for lines, at in ((heights.x, x), (heights.y, y))
    ]
    (i, j), (a, b) = places, (heights.x, heights.y)
    if not (a[0] <= x <= a[-1] and b[0] <= y <= b[-1]):
        return math.nan
    s, t = (x - a[i]) / (a[i + 1] - a[i]), (y - b[j]) / (b[j + 1] - b[j])
    corners = z[i : i + 2, j : j + 2].filled(np.nan)
    return float(np.array([1 - s, s]) @ corners @ np.array([1 - t, t]))
