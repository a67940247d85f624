"""Small marks: where they stand, and what they say of numbers that are not finite."""

import math
import re

import numpy as np
import pytest

from clinometer.pages.html.marks import interval_bar, sparkline, verdict_state


def test_a_value_stands_between_its_ends_as_it_does_between_its_numbers() -> None:
    """Proportions: on a linear scale a value halfway between the ends is drawn halfway, on a logarithmic one not."""
    for scale, middle in (("linear", 5.5), ("log", math.sqrt(10))):
        bar = str(interval_bar(middle, 1, 10, (None, None), scale, "holds"))
        line = re.findall(r'd="M([\d.]+) 10H([\d.]+)"', bar)
        (dot,) = re.findall(r'cx="([\d.]+)"', bar)
        low, high = map(float, line[0])
        assert float(dot) == pytest.approx((low + high) / 2, abs=0.2)


def test_an_end_at_infinity_is_an_arrow() -> None:
    """One tip for each end that the interval has not."""
    assert str(interval_bar(1, -math.inf, math.inf, (0, 2))).count("bar-tip") == 2
    assert str(interval_bar(1, 0.5, math.inf, (0, 2))).count("bar-tip") == 1
    assert str(interval_bar(1, 0.5, 1.5, (0, 2))).count("bar-tip") == 0


def test_what_is_not_known_is_not_drawn() -> None:
    """Nothing of NaN reaches a path, and nothing at all is drawn of nothing."""
    assert interval_bar(math.nan, math.nan, math.nan, (None, None)) == ""
    assert "nan" not in str(interval_bar(math.nan, math.nan, math.nan, (0, 1))).split("aria-label")[0]
    assert sparkline([math.nan]) == ""
    assert sparkline([]) == ""
    line = str(sparkline(np.array([1.0, math.nan, 2.0, math.inf]), 1.5))
    assert "nan" not in line
    assert "inf" not in line
    assert line.count("M") == 4, "a gap where one is unknown, the edge, and a mark where one is infinite"


def test_no_verdict_makes_a_class_of_its_own() -> None:
    """Any text may come: it is one of four states."""
    assert {verdict_state(each) for each in ("holds", "fails", "near", "x y", '"><b>', None)} == {
        *("good", "bad", "warn", "open"),
    }
