"""The numbers that a figure shows, as one tidy table: a row for each number with what it is."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from clinometer.plots.lines import shown_points
from clinometer.readable.text import plain
from clinometer.studies.figure import (
    Diagram,
    Estimate,
    Figure,
    HeatMap,
    Heights,
    Panel,
    Point,
    Ridges,
    Series,
    Values,
    Walk,
)

COLUMNS = ("panel", "title", "kind", "name", "statistic", "x", "y", "z")
Part = tuple[str, str, str, float | str, float | str, float | str]  # from `kind` on


def table(figure: Figure) -> str:
    """The numbers of a figure as CSV, each written so that it is read back as the same float64.

    A line has as many points as are drawn of it: `clinometer export` has all that was recorded.

    - panel, title: the panel's number, from 1, and its title
    - kind: line, vertical, ridges, heights, heat map, mark, estimate, point, walk or box
    - name: of the line, the mark, the estimate or the point
    - statistic: "line", "low" and "high" of a line, or "seed 3"; "low" and "high" are also the ends of intervals
    - x, y, z: the place and, of ridges and heights, the number there; a ridge's x is the left edge of a bin, its y the
      step

    Args:
        figure: Which.

    Example:
        >>> line = Series("mine", 0, np.array([0, 10]), np.array([2.0, np.inf]))
        >>> print(table(Figure("", "", (Panel("loss", "step", "loss", (line,)),))).strip())
        panel,title,kind,name,statistic,x,y,z
        1,loss,line,mine,line,0.0,2.0,
        1,loss,line,mine,line,10.0,inf,
    """
    writer = csv.writer(text := io.StringIO(), lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, panel in enumerate(figure.panels, 1):
        title = plain(panel.title)
        writer.writerows((number, title, kind, plain(name), *rest) for kind, name, *rest in parts_of(panel))
    return text.getvalue()


def parts_of(panel: Panel) -> Iterator[Part]:
    """The rows of one panel."""
    for series in panel.series:
        yield from _line(series)
    for line in panel.verticals:
        yield "vertical", line.label, "line", float(line.x), "", ""
    if panel.ridges is not None:
        yield from _ridges(panel.ridges)
    if panel.heights is not None:
        yield from _heights(panel.heights)
    if panel.heat_map is not None:
        yield from _heat_map(panel.heat_map)
    if panel.walk is not None:
        yield from _walk(panel.walk)
    if panel.diagram is not None:
        yield from _boxes(panel.diagram)
    yield from _estimates(panel.estimates)
    yield from _points(panel.points)


def _line(series: Series) -> Iterator[Part]:
    shown = shown_points(len(series.x))
    found: dict[str, Values | None] = {"line": series.y, "low": series.low, "high": series.high}
    if series.each is not None:
        found |= {f"seed {seed}": values for seed, values in zip(series.seeds, series.each, strict=True)}
    x = _floats(series.x[shown])
    for statistic, values in found.items():
        if values is not None:
            for place, value in zip(x, _floats(values[shown]), strict=True):
                yield "line", series.label, statistic, place, value, ""


def _ridges(ridges: Ridges) -> Iterator[Part]:
    for step, edges, counts in zip(_floats(ridges.steps), ridges.edges, ridges.counts, strict=True):
        for edge, count in zip(_floats(edges[:-1]), _floats(counts), strict=True):
            yield "ridges", "", "count", edge, step, count
        yield "ridges", "", "end", float(edges[-1]), step, ""


def _heights(heights: Heights) -> Iterator[Part]:
    for x, row in zip(_floats(heights.x), heights.z, strict=True):
        for y, z in zip(_floats(heights.y), _floats(row), strict=True):
            yield "heights", heights.unit, "height", x, y, z
    for mark in heights.marks:
        yield "mark", mark.label, "place", float(mark.x), float(mark.y), ""


def _heat_map(heat: HeatMap) -> Iterator[Part]:
    for name, values in zip(heat.names, heat.values, strict=True):
        for x, value in zip(heat.x, values, strict=True):
            yield "heat map", name, "value", float(x), "", float(value)


def _walk(walk: Walk) -> Iterator[Part]:
    for step, sizes, losses in zip(_floats(walk.steps), walk.sizes, walk.losses, strict=True):
        for size, loss in zip(_floats(sizes), _floats(losses), strict=True):
            yield "walk", "", "loss", size, step, loss


def _boxes(diagram: Diagram) -> Iterator[Part]:
    for box in diagram.boxes:
        yield "box", box.text, "place", float(box.x), float(box.y), ""


def _estimates(estimates: Sequence[Estimate]) -> Iterator[Part]:
    for each in estimates:
        found = {"value": each.value, "low": each.low, "high": each.high}
        found |= {"bound below": each.bounds[0], "bound above": each.bounds[1]}
        for statistic, value in found.items():
            yield "estimate", each.name, statistic, float(value), "", ""


def _points(points: Sequence[Point]) -> Iterator[Part]:
    for point in points:
        yield "point", point.name, "place", float(point.x), float(point.y), ""
        for end, statistic in enumerate(("low", "high")):
            yield "point", point.name, statistic, float(point.x_ends[end]), float(point.y_ends[end]), ""


def _floats(values: Any) -> list[float]:
    return np.asarray(values, dtype=float).tolist()
