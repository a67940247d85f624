"""The forest plot of claims: its numbers are read from the figure and from matplotlib's axes, not from pixels."""

import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clinometer.plots.forest import forest_figure
from clinometer.plots.matplotlib import draw

UNITS = ["factor", "percentage points", "%", "steps", ""]


def part(name: str, verdict: str = "holds", unit: str = "factor", **facts: Any) -> dict[str, Any]:
    """A part of a row of claims.json."""
    row = {"name": name, "verdict": verdict, "unit": unit, "value": 4.0, "low": 2.0, "high": 8.0, "n": 3}
    return row | {"bounds": [1.0, None], "looks": [3]} | facts


def claim(name: str, *parts: dict[str, Any], verdict: str = "holds") -> dict[str, Any]:
    """A row of claims.json."""
    return {"id": name, "verdict": verdict, "parts": list(parts)}


number = st.none() | st.floats(1e-12, 1e12)


@given(st.lists(st.tuples(st.sampled_from(UNITS), number, number, number, number, number), min_size=1, max_size=6))
def test_the_figure_has_every_number_of_the_rows(drawn: list[Any]) -> None:
    """The rows are the truth: each part is one line in the panel of its unit, null being NaN or infinite."""
    parts = [
        part(f"part {place}", unit=unit, value=value, low=low, high=high, bounds=[least, most])
        for place, (unit, value, low, high, least, most) in enumerate(drawn)
    ]
    figure = forest_figure({"": [claim("C1", *parts)]})
    lines = {line.name: (panel.xlabel, line) for panel in figure.panels for line in panel.estimates}
    assert len(lines) == len(parts) == sum(len(panel.estimates) for panel in figure.panels)
    for each in parts:
        unit, line = lines[f"C1 {each['name']}"]
        assert unit == (each["unit"] or "as measured")
        given_back = (line.value, line.low, line.high, *line.bounds)
        wanted = (each["value"], each["low"], each["high"], *each["bounds"])
        absent = (math.nan, -math.inf, math.inf, -math.inf, math.inf)
        np.testing.assert_equal(given_back, [a if w is None else w for w, a in zip(wanted, absent, strict=True)])


def test_scales_stand_below_each_other_in_one_panel() -> None:
    """Two studies of one claim: the same name on neighbouring lines, each with its own scale, effect and verdict."""
    small = [claim("C1", part("log10 of the gap")), claim("C2", part("loss"))]
    large = [claim("C1", part("log10 of the gap", "fails", value=0.5, low=0.25, high=0.75, n=8, looks=[3, 8]))]
    (panel,) = forest_figure({"smoke": small, "laptop": large}).panels
    assert [(line.name, line.verdict, line.text) for line in panel.estimates] == [
        ("C1 gap", "holds", "smoke: a factor 4 [2, 8], n = 3"),
        ("C1 gap", "fails", "laptop: a factor 0.5 [0.25, 0.75], n = 8, 2nd look"),
        ("C2 loss", "holds", "smoke: a factor 4 [2, 8], n = 3"),
    ]


def test_the_small_figure_has_one_part_of_each_verdict() -> None:
    """Of three parts the second fails, so that it alone says why the claim does; what was not measured is nowhere."""
    rows = [
        claim("C1", part("one"), part("two", "fails"), part("three"), verdict="fails"),
        claim("C2", part("no", n=0)),
    ]
    (panel,) = forest_figure({"": rows}, deciding=True).panels
    assert [line.name for line in panel.estimates] == ["C1 one", "C1 two"]
    assert forest_figure({"": rows[1:]}).panels == ()


def test_a_reader_sees_verdicts_and_bounds_without_colour() -> None:
    """By matplotlib's own artists: markers differ by shape or filling, and a factor's axis is logarithmic."""
    parts = [part("a"), part("b", "fails", value=0.5, low=0.4, high=0.6), part("c", "undecided", low=0.5)]
    canvas = draw(forest_figure({"": [claim("C1", *parts)]}))
    (axes,) = canvas.axes
    marks = {line.get_label(): (line.get_marker(), line.get_markerfacecolor()) for line in axes.lines}
    assert marks["holds"][0] != marks["fails"][0]
    assert marks["undecided"][1] == "white" != marks["holds"][1]
    assert (axes.get_xscale(), axes.get_xlim()[0] < 0.4, axes.get_xlim()[1] > 8) == ("log", True, True)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["C1 a", "C1 b", "C1 c"]
    assert "where it holds" in axes.get_legend_handles_labels()[1]


def test_an_interval_that_goes_on_does_not_hide_the_others() -> None:
    """One of a hundred decades beside one of a factor 2: the axis shows the second, and the first leaves by arrows."""
    parts = [part("wide", "undecided", low=1e-50, high=1e50), part("narrow", value=1.5, low=1.2, high=1.8)]
    (axes,) = draw(forest_figure({"": [claim("C1", *parts)]})).axes
    low, high = axes.get_xlim()
    assert 0 < low < 1 < 1.8 < high < 1e3
    assert {line.get_marker() for line in axes.lines} >= {"<", ">"}
