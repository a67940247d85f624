"""Draws figures with matplotlib, as SVG and PNG."""

import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clinometer.plots.diagram import draw_diagram
from clinometer.plots.estimates import draw_estimates, size_of
from clinometer.plots.heights import draw_heights
from clinometer.plots.labels import label
from clinometer.plots.library import import_matplotlib
from clinometer.plots.palette import is_repeated, resolve
from clinometer.plots.points import SIZE, draw_points
from clinometer.plots.walk import walk_lines
from clinometer.studies.figure import Figure, Panel, Ridges, Series
from clinometer.training.files import write_bytes

mpl = import_matplotlib()

Palette = Mapping[str, str]

_DPI = 130
_SHOWN_RIDGES = 15
_SHOWN_POINTS = 400  # more than a panel has pixels across would only make the file large
STYLE: Any = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.titlesize": "medium",
    "axes.titley": 1.0,  # nothing stands above the axes that a title would have to avoid
    "font.size": 9,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "svg.hashsalt": "clinometer",  # the same figure is the same file
}


def save(figure: Figure, stem: Path) -> None:
    """Draw a figure, and write it as `stem`.svg and `stem`.png.

    Args:
        figure: What to draw.
        stem: The path without its ending; its folder is made.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A name may be in a script that the font has not; its characters are drawn as boxes, and tables have them.
        warnings.filterwarnings("ignore", "Glyph .* missing from (current )?font")
        canvas = draw(figure)
        pixels = _png(canvas)
        canvas.set_layout_engine("none")  # the panels have their places now: the second drawing need not seek them
        lines = _svg(canvas)
    write_bytes(stem.with_suffix(".svg"), lines)
    write_bytes(stem.with_suffix(".png"), pixels)


def _png(canvas: Any) -> bytes:
    """Pixels in 256 colours: enough for bands over bands, and a third of the size of a page with all figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas.set_dpi(_DPI)
    raster: Any = FigureCanvasAgg(canvas)
    raster.draw()
    size = raster.get_width_height()
    image = Image.frombuffer("RGBA", size, raster.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
    image.quantize(256).save(packed := io.BytesIO(), "PNG", optimize=True)
    return packed.getvalue()


def _svg(canvas: Any) -> bytes:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    vector: Any = FigureCanvasSVG(canvas)
    vector.print_svg(lines := io.BytesIO(), metadata={"Date": None})
    return lines.getvalue()


def draw(figure: Figure) -> Any:
    """The figure as a `matplotlib.figure.Figure`; no window is opened and no backend is chosen."""
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(STYLE):
        canvas: Any = Canvas(figsize=inches(figure), layout="constrained")
        fill(canvas, figure)
    return canvas


def inches(figure: Figure) -> tuple[float, float]:
    """The width and height of a figure."""
    rows, columns = _grid(figure)
    wide, high = _size(figure)
    return wide * columns + 0.6, high * rows + 0.5


def fill(canvas: Any, figure: Figure) -> None:
    """Draw a figure's panels, title and legend into an empty matplotlib figure, or into a part of one."""
    rows, columns = _grid(figure)
    grid = canvas.add_gridspec(rows, columns, height_ratios=_height_ratios(figure, columns))
    for place, panel in zip(grid, figure.panels, strict=False):
        in_space = panel.heights is not None and panel.heights.view == "surface"
        axes = canvas.add_subplot(place, projection="3d" if in_space else None)
        _draw_panel(axes, panel, figure.palette)
    for number in range(len(figure.panels), rows * columns):
        canvas.add_subplot(grid[number]).set_axis_off()
    canvas.suptitle(label(figure.title), fontsize="large")
    _draw_legend(canvas)


def _grid(figure: Figure) -> tuple[int, int]:
    """Rows and columns of panels."""
    columns = min(figure.columns, len(figure.panels))
    return math.ceil(len(figure.panels) / columns), columns


def _size(figure: Figure) -> tuple[float, float]:
    """Width and height of a panel, in inches; of panels of estimates their mean height."""
    if all(panel.estimates for panel in figure.panels):
        return size_of([panel.estimates for panel in figure.panels])
    if all(panel.diagram for panel in figure.panels):
        return 7.5, 1.3
    if any(panel.points for panel in figure.panels):
        return SIZE
    return (4.4, 3.6) if any(panel.heights for panel in figure.panels) else (3.1, 2.5)


def _height_ratios(figure: Figure, columns: int) -> list[int]:
    """Of the rows of panels: those of estimates are as high as they have lines."""
    lines = [len(panel.estimates) or 1 for panel in figure.panels]
    return [max(lines[first : first + columns]) for first in range(0, len(lines), columns)]


def _draw_panel(axes: Any, panel: Panel, palette: Palette) -> None:
    if panel.walk is not None:
        panel = replace(panel, series=walk_lines(panel.walk), walk=None)
    axes.set_title(label(panel.title))
    axes.set_xlabel(label(panel.xlabel))
    axes.set_ylabel(label(panel.ylabel))
    if panel.ridges is not None:
        _draw_ridges(axes, panel.ridges, palette)
        return
    if panel.diagram is not None:
        draw_diagram(axes, panel.diagram, palette)
        return
    if panel.heights is not None:
        draw_heights(axes, panel.heights, panel.series, palette)
        return
    if panel.estimates:
        draw_estimates(axes, panel.estimates, "log" if panel.xscale == "log" else "linear")
        return
    axes.set_xscale(panel.xscale, **({"linear_width": panel.linear_within} if panel.xscale == "asinh" else {}))
    if panel.points:
        axes.set_yscale(panel.yscale)
        draw_points(axes, panel.points, palette)
        _set_xticks(axes, panel)
        return
    axes.set_yscale(panel.yscale if _fits_logarithm(panel) else "linear")
    for series in panel.series:
        _draw_series(axes, series, palette)
    for line in panel.verticals:
        tint = resolve(line.colour, palette)
        axes.axvline(line.x, linestyle=(0, (4, 2)), color=tint, linewidth=1.0, zorder=1.5, label=label(line.label))
    _set_xticks(axes, panel)
    if panel.ylim:
        axes.set_ylim(*panel.ylim)


def _set_xticks(axes: Any, panel: Panel) -> None:
    """The panel's own, or a few: within a decade or so, matplotlib's on a logarithmic axis run into each other."""
    low, high = axes.get_xlim()
    ticks = panel.xticks
    if not ticks and panel.xscale == "log" and high < 30 * low:
        ticks = tuple(float(f"{tick:.2g}") for tick in np.geomspace(low, high, 6)[1:-1])
    if ticks:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], rotation=30)
        axes.set_xticks([], minor=True)


def _fits_logarithm(panel: Panel) -> bool:
    """Whether a logarithmic axis would show everything: a loss may be negative, a log-likelihood's or a policy's."""
    shown = [values for s in panel.series for values in (s.y, s.high) if values is not None]
    return any(bool((values > 0).any()) for values in shown) and not any(bool((values < 0).any()) for values in shown)


def _draw_legend(canvas: Any) -> None:
    """One legend for the whole figure: panels that share a series share its entry."""
    entries: dict[str, Any] = {}
    for axes in canvas.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(name, handle)
    if entries:
        fitting = int(
            canvas.figure.get_figwidth() * 72 / (35 + 4.5 * max(map(len, entries)))
        )  # of names as long as that
        columns = max(1, min(len(entries), 4, fitting))
        canvas.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)


def _draw_series(axes: Any, series: Series, palette: Palette) -> None:
    tint = resolve(series.colour, palette)
    alpha = 0.15 + 0.85 * series.shade
    shown = slice(None, None, math.ceil(len(series.x) / _SHOWN_POINTS))
    x = series.x[shown]
    if series.low is not None and series.high is not None:
        name = label(series.label) if series.y is None else None
        low, high = series.low[shown], series.high[shown]
        axes.fill_between(x, low, high, color=tint, alpha=0.3 * alpha, linewidth=0, label=name)
    if series.y is not None:
        style = ":" if series.colour == "reference" else "--" if series.dashed or is_repeated(series.colour) else "-"
        axes.plot(x, series.y[shown], style, color=tint, alpha=alpha, linewidth=1.3, label=label(series.label) or None)


def _draw_ridges(axes: Any, ridges: Ridges, palette: Palette) -> None:
    """Histograms from the first step at the back to the last in front, each scaled to its own peak."""
    tint = resolve(ridges.colour, palette)
    chosen = np.unique(np.linspace(0, len(ridges.steps) - 1, min(_SHOWN_RIDGES, len(ridges.steps))).astype(int))
    gap = (ridges.steps[-1] - ridges.steps[0]) / max(len(chosen) - 1, 1) or 1
    for depth, index in enumerate(reversed(chosen)):
        edges, counts, step = ridges.edges[index], ridges.counts[index], ridges.steps[index]
        density = counts / np.maximum(np.diff(edges), 1e-12)
        height = 2.2 * gap * density / max(density.max(), 1e-12)
        axes.fill_between(
            (edges[1:] + edges[:-1]) / 2, step, step + height, color=tint, alpha=0.55, linewidth=0, zorder=depth + 2
        )
        axes.plot((edges[1:] + edges[:-1]) / 2, step + height, color="white", linewidth=0.6, zorder=depth + 2)
    axes.grid(visible=False)
