"""Refinement of functions on a grid: fewer evaluations for a stated error."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.measures.refinement import Refined, Refinement, Values

Function = Callable[[float, float], float]
SIZES = np.linspace(-2.0, 2.0, 65)
FUNCTIONS: dict[str, Function] = {
    "bowl": lambda x, y: 1 + x**2 + 10 * y**2,
    "rosenbrock": lambda x, y: 1 + (1 - x) ** 2 + 20 * (y - x**2) ** 2,
    "wall": lambda x, y: 1 + math.exp(1.5 * (x + y)),
    "narrow": lambda x, y: 2 - math.exp(-20 * (x**2 + y**2)),
    "kinks": lambda x, y: 1 + abs(x - 0.3) + 2 * abs(y + x),
}


def refine(
    function: Function,
    tolerance: float = 0.05,
    budget: int = 4225,
    rows: Sequence[float] = SIZES,
    columns: Sequence[float] = SIZES,
) -> tuple[Refined, Values]:
    """A function refined, and on the whole grid."""
    whole = np.array([[function(x, y) for y in columns] for x in rows])
    return Refinement(lambda i, j: float(whole[i, j]), rows, columns, tolerance, budget).run(), whole


def true_error(found: Refined, whole: Values) -> float:
    return float((np.abs(found.values - whole) / np.maximum(np.abs(found.values), np.abs(whole))).max())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_known_function_meets_its_error_with_fewer_evaluations(name: str) -> None:
    """The truth is the function on all 4,225 points: the error is within twice the tolerance, with under 2 in 5."""
    found, whole = refine(FUNCTIONS[name])
    assert true_error(found, whole) < 2 * 0.05
    assert found.error <= 0.05
    assert found.evaluated.sum() < 0.4 * whole.size
    assert (found.values[found.evaluated] == whole[found.evaluated]).all()
    assert (found.values != whole)[~found.evaluated].any()


def test_a_smaller_tolerance_gives_a_smaller_error_for_more_evaluations() -> None:
    """Against the whole grid."""
    pairs = [refine(FUNCTIONS["rosenbrock"], tolerance) for tolerance in (0.2, 0.02, 0.002)]
    errors = [true_error(*pair) for pair in pairs]
    counts = [found.evaluated.sum() for found, _ in pairs]
    assert errors == sorted(errors, reverse=True)
    assert counts == sorted(counts)
    assert errors[-1] < 2 * 0.002


@pytest.mark.parametrize("budget", [25, 26, 80, 81, 333])
def test_the_budget_is_never_passed(budget: int) -> None:
    """Counted, and what is left undone is said in the error: it is infinite until the first cells are all split."""
    found, whole = refine(FUNCTIONS["rosenbrock"], 1e-6, budget)
    assert budget - 5 < found.evaluated.sum() <= budget
    assert found.error > 1e-6
    assert (found.error == math.inf) == (budget < 81)
    assert (found.values[found.evaluated] == whole[found.evaluated]).all()


@pytest.mark.parametrize("other", [math.nan, math.inf])
def test_a_region_without_a_value_stays_so_and_its_border_is_sought(other: float) -> None:
    """The function has no finite value for x < 0.1: none is made up, and the rows on both sides are found."""
    found, whole = refine(lambda x, y: 1 + x + 0 * y if x > 0.1 else other, budget=1500)
    assert not np.isfinite(found.values[~np.isfinite(whole)]).any()
    row = int((SIZES <= 0.1).sum())
    assert found.evaluated[row - 1 : row + 1].all()
    assert found.evaluated.sum() < 1000
    finite = np.isfinite(found.values)
    np.testing.assert_allclose(found.values[finite], whole[finite], rtol=1e-12)


def test_what_has_no_value_anywhere_is_left() -> None:
    """A function that is infinite everywhere needs no more than its first points."""
    found, _ = refine(lambda *_: math.inf)
    assert found.evaluated.sum() == 81
    assert np.isnan(found.values[~found.evaluated]).all()


@given(st.integers(3, 30), st.integers(3, 30), st.integers(0, 1000))
def test_a_bilinear_function_is_right_everywhere_on_any_grid(rows: int, columns: int, seed: int) -> None:
    """Bilinear interpolation is exact for it, on grids of any size and spacing; few points are evaluated."""
    draw = np.random.default_rng(seed)
    first, second = (np.cumsum(0.05 + draw.random(count)) for count in (rows, columns))
    found, whole = refine(lambda x, y: (2 + x) * (3 + y), rows=first, columns=second)
    np.testing.assert_allclose(found.values, whole, rtol=1e-12)
    assert found.evaluated.sum() <= 81
    assert found.error < 1e-12
