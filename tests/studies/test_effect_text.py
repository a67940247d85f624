"""Effects in words: every number can be read back, and none stands without its unit."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.studies.effect_text import bounds_text, effect_text, number_text, seeds_text

SIGN = {"factor": "a factor ", "percentage points": " points", "%": "%", "steps": " steps"}
NUMBER = re.compile(r"[-+]?\d[\d.]*(?:e-?\d+)?")
numbers = st.floats(1e-9, 1e9) | st.floats(-1e9, -1e-9)


@given(numbers)
def test_a_number_is_read_back_to_three_digits(value: float) -> None:
    """Python's own reader is the truth, also of numbers that are written with an exponent."""
    assert float(number_text(value)) == pytest.approx(value, rel=0.0051)
    assert len(number_text(value)) <= 9


@given(st.sampled_from(sorted(SIGN)), numbers, numbers, numbers)
def test_an_interval_has_its_three_numbers_and_its_unit(unit: str, value: float, low: float, high: float) -> None:
    """Read back by a pattern: the centre, then either end, to half a tenth where it is rounded to tenths."""
    text = effect_text({"unit": unit, "value": value, "low": low, "high": high})
    assert SIGN[unit] in text
    assert [float(found) for found in NUMBER.findall(text)] == pytest.approx([value, low, high], rel=0.0051, abs=0.051)


@pytest.mark.parametrize("unit", sorted(SIGN))
def test_what_is_not_finite_is_never_a_number(unit: str) -> None:
    """Null is no end, no centre, or nothing at all; a factor has its lowest value at 0."""
    nothing = {"unit": unit, "value": None, "low": None, "high": None, "n": 3}
    assert effect_text(nothing) == "no finite number"
    assert effect_text(nothing | {"n": 0}) == "not measured"
    assert effect_text(nothing | {"value": 4.0}).endswith("[no interval]")
    assert re.search(r"\[(0|-∞), ", effect_text(nothing | {"value": 4.0, "high": 5.0}))
    assert ", ∞]" in effect_text(nothing | {"low": 3.0})
    assert bounds_text({"unit": unit, "bounds": [None, None]}) == ""


@pytest.mark.parametrize(("looks", "said"), [(1, ""), (2, ", 2nd look"), (3, ", 3rd look"), (11, ", 11th look")])
def test_looks_are_counted_as_people_do(looks: int, said: str) -> None:
    """Spelled out here."""
    assert seeds_text({"n": 12, "looks": list(range(looks))}) == f"n = 12{said}"
