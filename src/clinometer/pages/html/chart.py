"""A figure on a page: inline SVG, seen without script and in print, and the data from which the script draws charts."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from clinometer.pages.html.chart_data import data_block, has_infinite, is_drawn
from clinometer.pages.html.colours import variable
from clinometer.pages.html.ids import anchor
from clinometer.pages.html.shapes import shape_of, shape_path
from clinometer.pages.html.svg import SmallSVG
from clinometer.pages.html.thinning import for_drawing
from clinometer.plots.layout import STYLE
from clinometer.plots.looks import Look, Looks
from clinometer.plots.matplotlib import draw, mpl
from clinometer.plots.palette import resolve
from clinometer.readable.text import plain
from clinometer.studies.figure import Figure, Series

_INLINE: Any = STYLE | {"svg.fonttype": "none", "figure.facecolor": "none", "axes.facecolor": "none"}
_POINT = 72  # an inch
_LEGEND = 1.4  # pixels of a point, where matplotlib draws the legend
_ROOM = 3  # points around what is drawn
_SPARE = 0.015  # of the width, on either side: a browser's letters may be wider than matplotlib's


@dataclass(frozen=True)
class Box:
    """Where something is drawn, in points from the upper left."""

    left: float
    top: float
    right: float
    bottom: float

    def __or__(self, other: "Box") -> "Box":
        """The smallest box around both."""
        low, high = (min(self.left, other.left), min(self.top, other.top)), (self.right, self.bottom)
        return Box(*low, max(high[0], other.right), max(high[1], other.bottom))

    def __str__(self) -> str:
        sizes = (self.left, self.top, self.right - self.left, self.bottom - self.top)
        return " ".join(f"{size:.0f}" for size in sizes)


def chart(name: str, figure: Figure, *, reading: str = "") -> Markup:
    """A `<figure>` with the panels of a figure, its caption, and the numbers that it shows.

    Args:
        name: Its id on the page.
        figure: What to show.
        reading: How to read it, for who sees such a picture for the first time.
    """
    id_ = anchor(name)
    drawn = any(map(is_drawn, figure.panels))
    columns = min(figure.columns, len(figure.panels), 4)
    parts = [
        f'<figure class="chart" id="{id_}">',
        f'<p class="chart-title">{_text(figure.title)}</p><div class="chart-tools"></div>',
        f'<div class="panels columns-{columns}">{"".join(_panels(id_, figure))}</div>',
        _legend(figure) if drawn else "",
        f"<figcaption>{_text(figure.caption)}</figcaption>",
        f"<details><summary>How to read this</summary><p>{_text(reading)}</p></details>" if reading else "",
        data_block(figure),
        "</figure>",
    ]
    return Markup("".join(parts))


def _panels(id_: str, figure: Figure) -> Iterator[str]:
    """Each panel as an SVG of its own, so that a phone can show them below each other."""
    if not figure.panels:
        return
    source, boxes, legend = _drawing(replace(for_drawing(figure), title=""))
    small = SmallSVG(source, id_)
    for place, (panel, box) in enumerate(zip(figure.panels, boxes, strict=True)):
        content = "".join(small.group(f"panel-{place}-{part}") for part in range(3))
        title = panel.title or figure.title
        described = _text(f"{panel.ylabel} over {panel.xlabel}" if panel.xlabel and panel.ylabel else figure.title)
        ident = f"{id_}-{place}"
        broad = f' broad" tabindex="0" role="region" aria-label="{_text(title)}' if panel.estimates else ""
        kind = " by-script" if is_drawn(panel) else ""
        yield (
            f'<div class="panel{kind}{broad}"><svg viewBox="{box}" role="img" aria-labelledby="{ident}-t {ident}-d">'
            f'<title id="{ident}-t">{_text(title)}</title><desc id="{ident}-d">{described}</desc>{content}</svg></div>'
        )
    if legend is not None and not any(map(is_drawn, figure.panels)):
        entries = small.group("legend")
        size = f'viewBox="{legend}" width="{_LEGEND * (legend.right - legend.left):.0f}"'
        yield f'<svg class="drawn-legend" {size} aria-hidden="true">{entries}</svg>'


def _drawing(figure: Figure) -> tuple[bytes, list[Box], Box | None]:
    """The figure as matplotlib's SVG, the box of each panel, and that of the legend."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with mpl.rc_context(_INLINE), warnings.catch_warnings():
        # A name may be in a script that matplotlib's font has not; a browser has others.
        warnings.filterwarnings("ignore", "Glyph .* missing from (current )?font")
        canvas = draw(figure)
        canvas.get_layout_engine().execute(canvas)
        groups = _groups(canvas, len(figure.panels))
        for place, group in enumerate(groups):
            for part, axes in enumerate(group):
                axes.set_gid(f"panel-{place}-{part}")
        for legend in canvas.legends:
            legend.set_gid("legend")
        boxes = _aligned([_around(canvas, group) for group in groups], figure)
        named = _around(canvas, canvas.legends) if canvas.legends else None
        canvas.set_layout_engine("none")
        vector: Any = FigureCanvasSVG(canvas)
        vector.print_svg(file := io.BytesIO(), metadata={"Date": None})
    return file.getvalue(), boxes, named


def _groups(canvas: Any, count: int) -> list[list[Any]]:
    """The axes of each panel: its own, and the colour bar that follows them."""
    groups: list[list[Any]] = []
    for axes in canvas.axes:
        if axes.get_label() == "<colorbar>":
            groups[-1].append(axes)
        else:
            groups.append([axes])
    return groups[:count]


def _around(canvas: Any, artists: Any) -> Box:
    """The box of everything that is drawn of these."""
    height = canvas.get_figheight() * _POINT
    scale = _POINT / canvas.dpi
    found = [artist.get_tightbbox() for artist in artists]
    boxes = [
        Box(b.x0 * scale - _ROOM, height - b.y1 * scale - _ROOM, b.x1 * scale + _ROOM, height - b.y0 * scale + _ROOM)
        for b in found
    ]
    whole = reduce(or_, boxes)
    spare = _SPARE * (whole.right - whole.left)
    return Box(whole.left - spare, whole.top, whole.right + spare, whole.bottom)


def _aligned(boxes: list[Box], figure: Figure) -> list[Box]:
    """Boxes as wide as any in their column and as high as any in their row, so that panels have one scale."""
    columns = min(figure.columns, len(boxes))
    wide = [boxes[column::columns] for column in range(columns)]
    rows = [boxes[first : first + columns] for first in range(0, len(boxes), columns)]
    return [
        Box(
            min(box.left for box in wide[place % columns]),
            min(box.top for box in rows[place // columns]),
            max(box.right for box in wide[place % columns]),
            max(box.bottom for box in rows[place // columns]),
        )
        for place in range(len(boxes))
    ]


def _legend(figure: Figure) -> str:
    """What colours, dashes and marks mean, once for all panels; the script makes buttons of what can be left out."""
    panels = [panel for panel in figure.panels if is_drawn(panel)]
    looks, named = Looks(figure), dict[str, str]()
    for series in (series for panel in panels for series in panel.series if series.label):
        named.setdefault(series.label, _swatch(series, looks.of(series)))
    items = [f'<li data-series="{_text(name)}">{swatch}{_text(name)}</li>' for name, swatch in named.items()]
    verticals = {line.label: resolve(line.colour, figure.palette) for panel in panels for line in panel.verticals}
    for name, colour in verticals.items():
        line = f'd="M12 0V12" stroke="{variable(colour)}" stroke-width="2" stroke-dasharray="4 2"'
        items.append(f"<li>{_icon(line)}{_text(name)}</li>")
    if any(map(has_infinite, panels)):
        mark = _icon('d="M12 1L17 11H7z" fill="currentColor"')
        items.append(f"<li>{mark}infinite</li>")
    if any(panel.heat_map is not None and np.isinf(panel.heat_map.values).any() for panel in panels):
        cross = _icon('d="M8 2L16 10M16 2L8 10" stroke="currentColor" stroke-width="1.6"')
        items.append(f"<li>{cross}infinite</li>")
    return f'<ul class="legend">{"".join(items)}</ul>' if items else ""


def _swatch(series: Series, look: Look) -> str:
    colour = variable(look.tint)
    if series.y is None:
        return _icon(f'd="M0 2H24V10H0z" fill="{colour}" fill-opacity=".35"')
    dashes = {"--": "6 3", ":": "2 2"}.get(look.dashes, "none")
    line = f'd="M0 6H24" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}" opacity="{look.alpha:.2g}"'
    shape = shape_of(look.mark)
    return _icon(line, f'd="{shape_path(shape, 12, 6, 4)}" fill="{colour}"' if shape else "")


def _icon(*paths: str) -> str:
    drawn = "".join(f"<path {path}/>" for path in paths if path)
    return f'<svg viewBox="0 0 24 12" aria-hidden="true">{drawn}</svg>'


def _text(value: str) -> str:
    return str(escape(plain(value)))
