"""Where a function comes back to zero, against closed forms, a plain search, and what the search promises."""

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinometer.measures.first_crossing import LARGEST, Crossing, first_crossing

Function = Callable[[float], float]


def recorded(change: Function, slope: float | None = None, **options: float) -> tuple[Crossing, dict[float, float]]:
    """The crossing, and the values that the search asked for."""
    asked: dict[float, float] = {}

    def ask(size: float) -> float:
        asked[size] = change(size)
        return asked[size]

    return first_crossing(ask, slope, **options), asked


def plain_search(change: Function, precision: float) -> float:
    """Doubling or halving from 1, then bisection in the logarithm: as one would write it without a model."""
    low = high = 1.0
    if change(1.0) < 0:
        while change(high := 2 * low) < 0:
            low = high
            if low >= LARGEST:
                return math.inf
    else:
        while not change(low := high / 2) < 0:
            high = low
            if high <= 1 / LARGEST:
                return 0.0
    while high / low > 1 + precision:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if change(middle) < 0 else (low, middle)
    return low


@settings(max_examples=200, deadline=None)
@given(
    root=st.floats(1 / 2000, 2000),
    power=st.floats(1.1, 6),
    precision=st.floats(0.02, 0.5),
    start=st.floats(1 / 4096, 4096),
    told=st.booleans(),
)
def test_a_function_with_one_crossing(root: float, power: float, precision: float, start: float, told: bool) -> None:
    """a((a/r)^(p−1) − 1) is zero at r alone; and a search without interpolation brackets the same size."""

    def change(size: float) -> float:
        return size * ((size / root) ** (power - 1) - 1)

    found, asked = recorded(change, -1.0 if told else None, start=start, precision=precision)
    low, high = found.bracket
    assert low in asked
    assert high in asked
    assert low * (1 - 1e-9) <= root <= high * (1 + 1e-9)
    assert high / low <= 1 + precision
    assert low <= found.size <= high
    assert 1 / (1 + 2 * precision) < found.size / plain_search(change, precision) < 1 + 2 * precision


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(st.tuples(st.floats(-12, 12), st.sampled_from([-2.0, -1.0, -0.1, 0.1, 3.0, math.inf, math.nan]))),
    start=st.floats(1 / 4096, 4096),
    told=st.booleans(),
)
def test_what_is_promised_of_any_function(pieces: list[tuple[float, float]], start: float, told: bool) -> None:
    """By the definition, on functions that jump anywhere: read from the values that the search asked for."""
    steps = sorted((2.0**where, value) for where, value in pieces)

    def change(size: float) -> float:
        values = [value for where, value in steps if where <= size]
        return size * (values[-1] if values else -1.0)

    found, asked = recorded(change, -1.0 if told else None, start=start)
    low, high = found.bracket
    below = sorted(size for size in asked if size <= low)
    assert all(asked[size] < 0 for size in below), "no size below the bracket was seen above zero"
    assert low == 0 or low in asked
    assert high == math.inf or not asked[high] < 0
    for before, after in itertools.pairwise(below):
        assert after <= 2 * before or asked[after] < asked[before]
    assert high / low <= 1.1 if 0 < low < LARGEST else found.size == (math.inf if low else 0.0)
    assert found.evaluations == len(asked) <= 40


def test_an_earlier_crossing_is_found_where_doubling_finds_it() -> None:
    """(a − 3)(a − 8)(a − 20) a has three crossings; the well between 8 and 20 is as deep as that before 3."""

    def change(size: float) -> float:
        return size * (size - 3) * (size - 8) * (size - 20)

    for start in (0.01, 0.5, 1.0, 2.0, 4.0, 7.0):
        assert first_crossing(change, -480.0, start=start).size == pytest.approx(3, rel=0.01)
    assert plain_search(change, 0.01) == pytest.approx(3, rel=0.02)
    assert first_crossing(change, -480.0, start=15.0).size == pytest.approx(20, rel=0.01), "as the docstring says"


def test_a_rise_between_two_that_lie_far_apart_is_looked_for() -> None:
    """By hand: the parabola through 1 says 160, and half of that is lower; at 76 the loss lies above the one at 1."""

    def change(size: float) -> float:
        return -size + size * size / 160 + (100.0 if 20 < size < 60 else 0.0) + (41.0 if size >= 60 else 0.0)

    found, asked = recorded(change, -1.0)
    assert found.bracket[0] <= 20 <= found.bracket[1]
    assert sum(size > 60 for size in asked) >= 1, "it had jumped"


@pytest.mark.parametrize(("root", "most"), [(0.003, 3), (0.4, 3), (1.02, 3), (3.0, 4), (50.0, 4), (3000.0, 4)])
def test_a_parabola_takes_few(root: float, most: int) -> None:
    """Two ends of a bracket, and one or two values to know the parabola by; two where the start is known to be near."""
    change: Function = lambda size: size * (size / root - 1)  # noqa: E731
    found, _ = recorded(change, -1.0)
    assert found.evaluations <= most
    assert found.size == pytest.approx(root, rel=1e-9)
    assert recorded(change, -1.0, start=1.05 * root)[0].evaluations == 2
    assert recorded(change, -1.0, start=1.5 * root)[0].evaluations == 3


@settings(max_examples=60, deadline=None)
@given(root=st.floats(0.01, 100), cubic=st.floats(-0.3, 0.3))
def test_a_finer_bracket_lies_in_the_coarser_ones_precision(root: float, cubic: float) -> None:
    """Both hold the one root of a((a/r)(1 + c(1 − a/r)) − 1), for |c| < 1."""

    def change(size: float) -> float:
        share = size / root
        return size * (share * (1 + cubic * (1 - share)) - 1) if share < 1 / (2 * abs(cubic) + 0.1) else math.inf

    fine = first_crossing(change, -1.0, precision=0.01)
    coarse = first_crossing(change, -1.0, precision=0.3)
    assert fine.size == pytest.approx(root, rel=0.01)
    assert coarse.bracket[0] <= fine.bracket[1]
    assert fine.bracket[0] <= coarse.bracket[1]


def test_the_ends_of_the_search() -> None:
    """A function that falls for ever, that never falls, and that does not move."""
    assert first_crossing(lambda size: -size).size == math.inf
    assert first_crossing(lambda size: size).size == 0.0
    assert first_crossing(lambda _: math.nan).size == 0.0
    assert first_crossing(lambda size: -size if size < 1e-4 else 1.0).size == 0.0, "below 1/4096"
    assert math.isnan(first_crossing(lambda _: 0.0).size)
    assert first_crossing(lambda size: -1 + math.exp(-size)).size == math.inf, "it levels off below zero"


@pytest.mark.parametrize("told", [True, False])
def test_what_rounding_may_have_made_decides_nothing(told: bool) -> None:
    """A parabola to 100 with errors of up to 1e-3: at 1 its fall is 1e-4, and the errors there say that it rises."""

    def change(size: float) -> float:
        return 1e-4 * size * (size / 100 - 1) + (9e-4 if size < 10 else -9e-4)

    assert first_crossing(change, -1e-4 if told else None, rounding=1e-3).size == pytest.approx(100, rel=0.5)
    assert first_crossing(change, -1e-4 if told else None).size == 0.0, "without being told it cannot know"
    hidden: Function = lambda size: 1e-6 * size * (size / 100 - 1)  # noqa: E731
    assert math.isnan(first_crossing(hidden, -1e-6, rounding=1e-3).size), "the fall is 2.5e-5 at most"


@pytest.mark.parametrize("precision", [1e-300, 1e-9, 0.999])
def test_any_precision_ends(precision: float) -> None:
    """A bracket of neighbouring numbers cannot be divided: there is a finest precision."""
    found = first_crossing(lambda size: size * (size**1.7 - 5), precision=precision)
    assert found.bracket[0] <= 5 ** (1 / 1.7) <= found.bracket[1]
    assert found.evaluations <= 40


def test_bad_input() -> None:
    """Said before any evaluation."""
    with pytest.raises(ValueError, match=r"`precision` must lie in \(0, 1\); found 0"):
        first_crossing(lambda size: size, precision=0)
    with pytest.raises(ValueError, match=r"`start` must be a positive number; found 0"):
        first_crossing(lambda size: size, start=0)
