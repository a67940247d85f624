"""Named points with intervals: matplotlib's own axes say where they stand."""

import math

import numpy as np

from clinometer.plots.matplotlib import draw
from clinometer.studies.figure import Figure, Panel, Point


def axes_of(*points: Point, xscale: str = "linear") -> object:
    panel = Panel("", "x", "y", points=points, xscale="log" if xscale == "log" else "linear")
    return draw(Figure("", "", (panel,))).axes[0]


def test_points_stand_where_they_were_put_with_their_names_and_intervals() -> None:
    """Read back from matplotlib: the mark of each point, its name, and the ends of both bars."""
    axes = axes_of(Point("one", 1.0, 2.0, (0.5, 1.5), (1.8, 2.4)), Point("two", 3.0, 4.0, (2.0, 5.0), (3.0, 4.5)))
    marks = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() == "o"]
    assert marks == [[1.0, 2.0], [3.0, 4.0]]
    assert [text.get_text() for text in axes.texts] == ["one", "two"]
    ends = {tuple(np.ravel(bar).tolist()) for bars in axes.collections for bar in bars.get_segments()}
    assert {(0.5, 2.0, 1.5, 2.0), (1.0, 1.8, 1.0, 2.4), (2.0, 4.0, 5.0, 4.0), (3.0, 3.0, 3.0, 4.5)} == ends


def test_a_point_without_a_number_is_not_drawn_and_one_without_an_interval_has_no_bar() -> None:
    """NaN has no place on an axis; a single seed has no interval, and its point is drawn all the same."""
    axes = axes_of(
        Point("none", math.nan, 2.0, (math.nan, math.nan), (1.0, 3.0)),
        Point("bare", 1.0, 2.0, (-math.inf, math.inf), (-math.inf, math.inf)),
        xscale="log",
    )
    assert [text.get_text() for text in axes.texts] == ["bare"]
    assert all(np.isfinite(line.get_xydata()).all() for line in axes.lines if line.get_marker() == "o")


def test_an_interval_of_many_decades_leaves_the_points_apart() -> None:
    """The frame in decades, from matplotlib: two points a decade apart take a third of it, whatever a bar reaches."""
    axes = axes_of(Point("a", 1.0, 1.0, (1e-30, 1e30), (1, 1)), Point("b", 10.0, 1.0, (9, 11), (1, 1)), xscale="log")
    low, high = np.log10(axes.get_xlim())
    np.testing.assert_allclose((low, high), (-1.08, 2.08), atol=1e-9)


def test_names_of_near_points_stand_apart() -> None:
    """Two points in one place: their names would cover each other at the first place of each."""
    axes = axes_of(Point("one", 1.0, 1.0, (1, 1), (1, 1)), Point("two", 1.0, 1.0, (1, 1), (1, 1)))
    offsets = [tuple(text.xyann) for text in axes.texts]
    assert offsets[0] != offsets[1]
