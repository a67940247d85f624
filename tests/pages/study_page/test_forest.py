"""Bars of intervals: their places are those of the numbers, whatever the unit."""

import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.pages.study_page.forest import Axis, axes, bar, scale

UNITS = ["factor", "relative", "percentage points", "%", "steps", "", "<b>"]
POSITIVE = st.floats(1e-12, 1e15)
NUMBERS = st.lists(POSITIVE, min_size=3, max_size=3).map(sorted)


def part(unit: str, low: float | None, value: float | None, high: float | None, **more: Any) -> dict[str, Any]:
    found = {"unit": unit, "low": low, "value": value, "high": high, "bounds": [1.0, None], "verdict": "holds", "n": 3}
    return found | more


def place(drawn: str, kind: str) -> float:
    """Where a mark of this kind begins."""
    found = re.search(rf'class="{kind}[^"]*" (?:d="M|cx=")([\d.]+)', drawn)
    assert found, drawn
    return float(found[1])


@given(st.sampled_from(UNITS), NUMBERS)
def test_a_bar_keeps_the_order_of_its_numbers(unit: str, numbers: list[float]) -> None:
    """Order on the real line is the truth: left end, centre and right end stand so, inside the frame, as valid XML."""
    low, value, high = numbers
    each = part(unit, low, value, high)
    drawn = str(bar(each, Axis.of(unit, [each]), "said"))
    ET.fromstring(drawn)
    line = re.search(r'class="bar-line" d="M([\d.]+) [\d.]+H([\d.]+)"', drawn)
    assert line
    left, right = map(float, line.groups())
    assert 0 <= left <= place(drawn, "bar-dot") <= right <= 220


@given(POSITIVE, POSITIVE)
def test_a_factor_and_its_inverse_stand_opposite(one: float, other: float) -> None:
    """Halving is as much as doubling: the logarithm's own symmetry, about no difference in the middle."""
    axis = Axis.of("factor", [part("factor", one, one, other)])
    assert axis.place(1.0) == pytest.approx(0.5)
    assert axis.place(one) + axis.place(1 / one) == pytest.approx(1.0)
    assert (axis.place(one) < axis.place(other)) == (one < other) or math.isclose(one, other)


def test_the_whole_interval_is_inside_or_an_arrow_says_that_it_is_not() -> None:
    """An interval without an end, and one a thousand decades long, go on beyond the frame; a short one does not."""
    near = part("factor", 0.5, 1.0, 2.0)
    for each, arrows in ((near, 0), (part("factor", 0.5, 1.0, None), 1), (part("factor", 1e-300, 1.0, 1e300), 2)):
        drawn = str(bar(each, Axis.of("factor", [near, each]), ""))
        assert drawn.count("bar-tip") == arrows


def test_what_has_no_number_has_no_bar() -> None:
    """Nothing is drawn where nothing was measured, and the page lives: all is null, or only one end is known."""
    for each in (part("steps", None, None, None, bounds=[None, None]), part("factor", 3.0, None, None)):
        drawn = str(bar(each, Axis.of(each["unit"], [each]), ""))
        assert "bar-dot" not in drawn
    assert "bar-line" in drawn


def test_parts_of_one_unit_share_an_axis() -> None:
    """The same number stands at the same place in every row, which is what a common scale means."""
    rows: list[Any] = [{"parts": [part("factor", 1.0, 2.0, 3.0)], "beside": [part("factor", 1.0, 1e6, 1e9)]}]
    rows.append({"parts": [part("steps", 1.0, 2.0, 3.0)], "beside": []})
    found = axes(rows)
    assert list(found) == ["factor", "steps"]
    drawn = [
        str(bar(each, found["factor"], "")) for each in (part("factor", 1.0, 2.0, 3.0), part("factor", 2.0, 2.0, 9.0))
    ]
    assert place(drawn[0], "bar-dot") == place(drawn[1], "bar-dot")


@given(st.sampled_from(UNITS), NUMBERS)
def test_an_axis_names_a_few_places_within_it(unit: str, numbers: list[float]) -> None:
    """What a tick says is where it stands: its text, read as a number, has that place."""
    axis = Axis.of(unit, [part(unit, *numbers)])
    assert 1 <= len(axis.ticks) <= 7
    for at, text in axis.ticks:
        number = float(text.replace("−", "-").strip("×%+"))  # "×1e6"
        assert axis.place(number) == pytest.approx(at, abs=0.02)
        assert text.startswith("×") == (unit == "factor")  # a relative error is no factor
    ET.fromstring(str(scale(axis)))
