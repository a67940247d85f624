"""Draws figures with matplotlib, as SVG and PNG for a screen, and as PDF for print."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from clinometer.plots.data import table
from clinometer.plots.diagram import draw_diagram
from clinometer.plots.estimates import draw_estimates
from clinometer.plots.heat_map import draw_heat_map
from clinometer.plots.heights import draw_heights
from clinometer.plots.labels import label
from clinometer.plots.layout import Layout, Width, height_ratios, layout_of
from clinometer.plots.legend import draw_legend
from clinometer.plots.lettering import fitted
from clinometer.plots.library import import_matplotlib
from clinometer.plots.lines import draw_lines
from clinometer.plots.looks import Looks
from clinometer.plots.palette import resolve
from clinometer.plots.points import draw_points
from clinometer.plots.ridges import draw_ridges
from clinometer.plots.ticks import fit_both, fit_ticks
from clinometer.plots.walk import walk_lines
from clinometer.studies.figure import Figure, Panel
from clinometer.training.files import write_bytes

mpl = import_matplotlib()

Kind = Literal["png", "svg", "csv"]

DPI = 130  # of pictures, and of the layout: letters on whole dots are as wide as the dots have it
_LEGEND_LINE = 1.5  # of a line of the legend, in letters


def save(figure: Figure, stem: Path, kinds: Sequence[Kind] = ("png", "svg", "csv")) -> None:
    """Draw a figure, and write it as `stem`.png and `stem`.svg, with its numbers in `stem`.csv.

    Args:
        figure: What to draw.
        stem: The path without its ending; its folder is made.
        kinds: Which files.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    files: dict[Kind, bytes] = {"csv": table(figure).encode()} if "csv" in kinds else {}
    with mpl.rc_context(layout_of(figure).style), _quiet_about_glyphs():
        canvas = draw(figure)
        if "png" in kinds:
            files["png"] = _png(canvas)
        if "svg" in kinds:
            files["svg"] = _svg(canvas)
    for kind, content in files.items():
        write_bytes(stem.with_suffix(f".{kind}"), content)


def save_pdf(figure: Figure, path: Path, width: Width) -> None:
    """Draw a figure for print, and write it as PDF: as wide as the column, with letters of 7 to 8 points.

    Args:
        figure: What to draw.
        path: Of the file; its folder is made.
        width: "one" or "two" columns, 3.35 or 6.9 inches.
    """
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(layout_of(figure, width).style), _quiet_about_glyphs():
        paper: Any = FigureCanvasPdf(draw(figure, width))
        paper.print_pdf(page := io.BytesIO(), metadata={"CreationDate": None})
    write_bytes(path, page.getvalue())


def _quiet_about_glyphs() -> Any:
    """A name may be in a script that the font has not; its characters are drawn as boxes, and tables have them."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _png(canvas: Any) -> bytes:
    """Pixels in 256 colours: enough for bands over bands, and a third of the size of a page with all figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

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


def draw(figure: Figure, width: Width = "screen") -> Any:
    """The figure as a `matplotlib.figure.Figure`; no window is opened and no backend is chosen.

    Args:
        figure: What to draw.
        width: "screen", or for print of "one" or "two" columns, 3.35 or 6.9 inches, without the title.
    """
    from matplotlib.figure import Figure as Canvas

    layout = layout_of(figure, width)
    with mpl.rc_context(layout.style):
        canvas: Any = Canvas(figsize=(layout.width, layout.height), dpi=DPI, layout="constrained")
        lines = fill(canvas, figure, layout)
        _arrange(canvas, figure, layout, lines)
    return canvas


def _arrange(canvas: Any, figure: Figure, layout: Layout, legend: int) -> None:
    """Give each panel its place for good; again, where a title had to be broken to stay within its panel."""
    panels = [axes for axes in canvas.axes if axes.get_label() != "<colorbar>"]
    canvas.set_figheight(_height(panels, layout, legend))
    canvas.get_layout_engine().execute(canvas)
    before = _height(panels, layout, legend)
    for axes, panel in zip(panels, figure.panels, strict=False):
        place = axes.get_position()
        middle = (place.x0 + place.x1) / 2
        room = 2 * 72 * layout.width * min(middle, 1 - middle, place.width / 2 + 0.02)
        axes.set_title(fitted(label(panel.title), layout.letters, room))
    if _height(panels, layout, legend) != before:
        canvas.set_figheight(_height(panels, layout, legend))
        canvas.get_layout_engine().execute(canvas)
    canvas.set_layout_engine("none")


def _height(panels: Sequence[Any], layout: Layout, legend: int) -> float:
    """Inches of a figure, with all lines of its titles, of the labels below its panels, and of its legend."""
    words = [axes.get_title() + axes.get_xlabel() for axes in panels]
    rows = [words[first : first + layout.columns] for first in range(0, len(words), layout.columns)]
    lines = legend * _LEGEND_LINE + 1.25 * sum(max(text.count("\n") for text in row) for row in rows)
    return layout.height + lines * layout.letters / 72


def inches(figure: Figure) -> tuple[float, float]:
    """The width and height of a figure on a screen."""
    layout = layout_of(figure)
    return layout.width, layout.height


def fill(canvas: Any, figure: Figure, layout: Layout | None = None) -> int:
    """Draw a figure's panels, title and legend into an empty matplotlib figure, or into a part of one.

    Args:
        canvas: Where.
        figure: What.
        layout: By default that of a screen.

    Returns:
        How many lines the legend has.
    """
    layout = layout or layout_of(figure)
    looks = Looks(figure)
    grid = canvas.add_gridspec(layout.rows, layout.columns, height_ratios=height_ratios(figure, layout.columns))
    for place, panel in zip(grid, figure.panels, strict=False):
        in_space = panel.heights is not None and panel.heights.view == "surface"
        axes = canvas.add_subplot(place, projection="3d" if in_space else None)
        _draw_panel(axes, panel, figure.palette, looks, layout)
    for number in range(len(figure.panels), layout.rows * layout.columns):
        canvas.add_subplot(grid[number]).set_axis_off()
    if layout.titled and figure.title:
        size = layout.letters + 2
        canvas.suptitle(fitted(label(figure.title), size, 72 * layout.width), fontsize=size)
    order = [label(series.label) for panel in figure.panels for series in panel.series]
    return draw_legend(canvas, max(layout.letters - 0.5, 7.0), order)


def _draw_panel(axes: Any, panel: Panel, palette: Mapping[str, str], looks: Looks, layout: Layout) -> None:
    if panel.walk is not None:
        panel = replace(panel, series=walk_lines(panel.walk), walk=None)
    _write_words(axes, panel, layout)
    if panel.diagram is not None:
        draw_diagram(axes, panel.diagram, palette)
    elif panel.estimates:
        draw_estimates(axes, panel.estimates, "log" if panel.xscale == "log" else "linear", layout.margins)
        fit_ticks(axes.xaxis)
    elif panel.heights is not None:
        draw_heights(axes, panel.heights, panel.series, palette)
        if panel.heights.view == "contour":
            fit_both(axes, panel.xticks)
    elif panel.heat_map is not None:
        draw_heat_map(axes, panel.heat_map)
        fit_ticks(axes.xaxis, panel.xticks)
        _draw_verticals(axes, panel, palette)
    elif panel.ridges is not None:
        draw_ridges(axes, panel.ridges, palette)
        fit_both(axes, panel.xticks)
    else:
        _draw_over_x(axes, panel, palette, looks)
        fit_both(axes, panel.xticks)


def _write_words(axes: Any, panel: Panel, layout: Layout) -> None:
    """The title and the labels of the axes, in as many lines as they take."""
    wide, high = layout.panel
    axes.set_title(fitted(label(panel.title), layout.letters, wide - 5.5 * layout.letters))
    axes.set_xlabel(fitted(label(panel.xlabel), layout.letters, wide - 3 * layout.letters))
    axes.set_ylabel(fitted(label(panel.ylabel), layout.letters, high - 2 * layout.letters))


def _draw_over_x(axes: Any, panel: Panel, palette: Mapping[str, str], looks: Looks) -> None:
    """Series with verticals, or points."""
    axes.set_xscale(panel.xscale, **({"linear_width": panel.linear_within} if panel.xscale == "asinh" else {}))
    if panel.points:
        axes.set_yscale(panel.yscale)
        draw_points(axes, panel.points, palette)
        return
    axes.set_yscale(panel.yscale if _fits_logarithm(panel) else "linear")
    draw_lines(axes, panel.series, looks)
    _draw_verticals(axes, panel, palette)
    if panel.ylim:
        axes.set_ylim(*panel.ylim)


def _draw_verticals(axes: Any, panel: Panel, palette: Mapping[str, str]) -> None:
    for line in panel.verticals:
        tint = resolve(line.colour, palette)
        axes.axvline(line.x, linestyle=(0, (4, 2)), color=tint, linewidth=1.0, zorder=1.5, label=label(line.label))


def _fits_logarithm(panel: Panel) -> bool:
    """Whether a logarithmic axis would show everything: a loss may be negative, a log-likelihood's or a policy's."""
    shown = [values for s in panel.series for values in (s.y, s.high) if values is not None]
    return any(bool((values > 0).any()) for values in shown) and not any(bool((values < 0).any()) for values in shown)
