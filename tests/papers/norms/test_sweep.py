"""Which rates a sweep tries, and what it finds: known outcomes, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.analysis.stable_rate import Trial, outcome
from clinometer.papers.norms.configs import RATES, STRIDE
from clinometer.papers.norms.sweep import sweep


def trial(loss: float, accuracy: float = 0.9) -> Trial:
    return Trial((2.3,), (loss,), (accuracy,))


@given(st.integers(min(RATES), max(RATES) + 6))
def test_the_end_of_stability_is_found_to_a_factor_of_two(edge: int) -> None:
    """Networks that train up to a known rate, the faster the larger it is, and not above.

    The largest stable rate of the sweep is below the true end, and the first unstable one above it.
    """
    trials = sweep(lambda each: trial(1.0 - 0.01 * each) if each <= edge else trial(math.inf, 0.0))
    found = outcome(trials)
    assert found.largest <= 2.0 ** (edge / 2) < found.unstable
    if edge >= max(RATES):
        assert found.censored
        assert len(trials) == len(RATES)
    else:
        assert found.unstable == pytest.approx(2 * found.largest)
        assert len(trials) == len(RATES) + 1
        assert STRIDE == 4


def test_a_network_that_trains_at_no_rate_has_no_largest_one() -> None:
    """Every loss above the first: nothing lies between a stable rate and an unstable one, and no more is trained."""
    trials = sweep(lambda _each: trial(9.0, 0.1))
    assert list(trials) == list(RATES)
    assert math.isnan(outcome(trials).largest)
