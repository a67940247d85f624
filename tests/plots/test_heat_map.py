"""Heat maps: what matplotlib was given to draw is read back from its axes."""

import csv
import io
from typing import Any

import numpy as np

from clinometer.plots.data import table
from clinometer.plots.matplotlib import draw
from clinometer.studies.figure import Figure, HeatMap, Panel

STEPS = np.arange(0, 30, 10)
VALUES = np.array([[0.1, 1.0, 4.0], [np.nan, np.inf, 0.0]])


def figure(heat: HeatMap) -> Figure:
    return Figure("f", "", (Panel("p", "step", "", heat_map=heat),))


def mesh(heat: HeatMap) -> Any:
    return draw(figure(heat)).axes[0].collections[0]


def test_colours_part_at_the_limit() -> None:
    """matplotlib's own norm: the limit is at the middle of the colours, in either scale, and no value is outside."""
    for scale in ("log", "linear"):
        drawn = mesh(HeatMap(("a", "b"), STEPS, VALUES, "share", 1.0, scale))  # type: ignore[arg-type]
        assert abs(float(drawn.norm(1.0)) - 0.5) < 1e-12
        shares = np.ma.compressed(drawn.norm(drawn.get_array()))
        assert 0 <= shares.min() <= shares.max() <= 1


def test_infinity_has_a_cross_and_the_unknown_no_colour() -> None:
    """One cell of each, by hand: the cross stands on its cell, the other cell is masked."""
    axes = draw(figure(HeatMap(("a", "b"), STEPS, VALUES, "share", 1.0, "log"))).axes[0]
    (cross,) = [line for line in axes.lines if line.get_label() == "infinite"]
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([10], [1])
    assert np.ma.getmaskarray(axes.collections[0].get_array()).reshape(2, 3).tolist() == [
        [False] * 3,
        [True, False, False],
    ]


def test_of_many_steps_none_that_stands_out_is_lost() -> None:
    """A single high value among ten thousand steps is still the highest colour."""
    values = np.ones((1, 10_000))
    values[0, 1234] = 50.0
    drawn = mesh(HeatMap(("a",), np.arange(10_000), values, "share"))
    assert float(drawn.get_array().max()) == 50.0
    assert drawn.get_array().size <= 200


def test_nothing_known_is_said() -> None:
    """A field that was NaN all through, and a single step."""
    axes = draw(figure(HeatMap(("a",), STEPS, np.full((1, 3), np.nan), "share"))).axes[0]
    assert [text.get_text() for text in axes.texts] == ["nothing was a number"]
    assert mesh(HeatMap(("a",), STEPS[:1], np.ones((1, 1)), "share")).get_array().tolist() == [[1.0]]


def test_its_numbers_are_in_the_table() -> None:
    """A line for each cell, read back as written."""
    lines = csv.DictReader(io.StringIO(table(figure(HeatMap(("a", "b"), STEPS, VALUES, "share")))))
    found = [float(line["z"]) for line in lines]
    np.testing.assert_array_equal(np.array(found).reshape(2, 3), VALUES)
