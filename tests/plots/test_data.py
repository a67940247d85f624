"""The numbers of a figure, as its CSV has them."""

import dataclasses
import io
from typing import Any

import numpy as np
import pandas
import pytest

from clinometer.plots.data import COLUMNS, table
from clinometer.plots.matplotlib import save
from clinometer.studies.figure import Estimate, Figure, Heights, Mark, Panel, Point, Ridges, Series, Vertical

HOSTILE = 'a,"b"\n=1+1;\x1b[2J'
X = np.array([0, 1, 2])
EACH = np.array([[0.1, 1 / 3, np.nan], [1e-300, np.inf, -np.inf]])


def read(figure: Figure) -> Any:
    found = pandas.read_csv(io.StringIO(table(figure)), dtype=str, keep_default_na=False)
    return found.replace({column: {"": "nan"} for column in "xyz"}).astype(dict.fromkeys("xyz", float))


def test_a_line_is_read_back_by_pandas_as_it_was() -> None:
    """pandas reads each float64 as the one that was written, NaN and infinities among them, under its seed."""
    series = Series(HOSTILE, 0, X, EACH.mean(0), EACH.min(0), EACH.max(0), each=EACH, seeds=(4, 7))
    found = read(Figure("", "", (Panel("one", "", "", (series,), verticals=(Vertical("alarm", 1.5),)),)))
    assert tuple(found.columns) == COLUMNS
    lines = found[found["kind"] == "line"]
    assert set(lines["name"]) == {HOSTILE.replace("\x1b", "�")}
    shown = {"line": series.y, "low": series.low, "high": series.high, "seed 4": EACH[0], "seed 7": EACH[1]}
    for statistic, values in shown.items():
        rows = lines[lines["statistic"] == statistic]
        np.testing.assert_array_equal(rows["x"], X)
        np.testing.assert_array_equal(rows["y"], values)
    assert found[found["kind"] == "vertical"]["x"].tolist() == [1.5]


def test_every_other_kind_is_read_back_as_it_was() -> None:
    """By pandas: counts and edges of ridges, heights on their grid, marks, estimates with bounds, points with ends."""
    rng = np.random.default_rng(0)
    ridges = Ridges(0, X, rng.random((3, 5)).cumsum(1), rng.random((3, 4)))
    heights = Heights(X * 0.5, np.array([1.0, 3.0]), rng.random((3, 2)), "loss", marks=(Mark("here", 0.5, 2.0),))
    estimate = Estimate("C1", 2.0, -np.inf, 3.0, (1.0, np.inf), "holds", "2")
    point = Point("norm", 1.0, 2.0, (0.5, 1.5), (np.nan, 4.0))
    panels = (
        Panel("r", "", "", ridges=ridges),
        Panel("h", "", "", heights=heights),
        Panel("e", "", "", estimates=(estimate,)),
        Panel("p", "", "", points=(point,)),
    )
    found = read(Figure("", "", panels))
    of = {(int(panel), kind): rows for (panel, kind), rows in found.groupby(["panel", "kind"])}
    counts = of[1, "ridges"][of[1, "ridges"]["statistic"] == "count"]
    np.testing.assert_array_equal(counts["z"], ridges.counts.ravel())
    np.testing.assert_array_equal(of[1, "ridges"]["x"], ridges.edges.ravel())
    np.testing.assert_array_equal(of[2, "heights"]["z"], heights.z.ravel())
    np.testing.assert_array_equal(of[2, "heights"]["x"], heights.x.repeat(2))
    np.testing.assert_array_equal(of[2, "mark"][["x", "y"]], [[0.5, 2.0]])
    np.testing.assert_array_equal(of[3, "estimate"]["x"], [2.0, -np.inf, 3.0, 1.0, np.inf])
    np.testing.assert_array_equal(of[4, "point"][["x", "y"]], [[1.0, 2.0], [0.5, np.nan], [1.5, 4.0]])


@pytest.mark.parametrize("points", [1, 400, 401, 10_000])
def test_a_long_line_has_its_first_and_its_last_point(points: int) -> None:
    """By hand: no more than 800 points are of use in a panel, and none is in another place than it was."""
    x = np.arange(points) * 3
    rows = read(Figure("", "", (Panel("", "", "", (Series("mine", 0, x, np.sqrt(x)),)),)))
    assert len(rows) <= 800
    assert (rows["x"].iloc[0], rows["x"].iloc[-1]) == (x[0], x[-1])
    np.testing.assert_array_equal(rows["y"], np.sqrt(rows["x"]))


def test_only_the_files_that_are_asked_for_are_written(tmp_path: Any) -> None:
    """By listing the folder: the page needs three, the documentation one."""
    figure = Figure("", "", (Panel("", "", "", (Series("mine", 0, X, X),)),))
    save(figure, tmp_path / "all" / "figure")
    save(dataclasses.replace(figure, title="other"), tmp_path / "one" / "figure", ["png"])
    assert sorted(file.suffix for file in (tmp_path / "all").iterdir()) == [".csv", ".png", ".svg"]
    assert [file.name for file in (tmp_path / "one").iterdir()] == ["figure.png"]
