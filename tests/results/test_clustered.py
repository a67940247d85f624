"""Intervals of shares and rates: against scipy's own, closed forms, and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clinometer.results.clustered import rate, share


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_shares_of_single_trials_are_scipys_exact_interval(hits: list[bool]) -> None:
    """scipy.stats.binomtest has the Clopper-Pearson interval on its own; clusters of one trial change nothing."""
    found = share(hits, range(len(hits)))
    truth = stats.binomtest(sum(hits), len(hits)).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high), abs=1e-9)


def test_trials_that_repeat_each_other_count_once() -> None:
    """Five copies of each of 20 trials say what the 20 say: Korn and Graubard's effective number is then about 20."""
    single = [True] * 14 + [False] * 6
    copies = share([hit for hit in single for _ in range(5)], [index for index in range(20) for _ in range(5)])
    once = share(single, range(20))
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high), abs=0.01)


def test_rates_without_an_event_end_at_three_over_the_exposure() -> None:
    """The rule of three: the upper 97.5% limit of a Poisson count of 0 is −ln 0.025 = 3.689 events."""
    found = rate([0] * 7, [1_000] * 7, per=10_000)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(-np.log(0.025) / 7_000 * 10_000)


def test_a_single_count_has_scipys_exact_interval() -> None:
    """Poisson limits by the tests that they invert: at each end the tail of the other side has probability 0.025."""
    found = rate([8], [5_000], per=5_000)
    assert stats.poisson.sf(7, found.low) == pytest.approx(0.025)
    assert stats.poisson.cdf(8, found.high) == pytest.approx(0.025)


def test_events_that_come_in_one_run_widen_the_interval() -> None:
    """Ten events of one run in ten say less about other runs than one in each: the interval must not be the same."""
    spread, bunched = (rate(counts, [1_000] * 10, per=10_000) for counts in ([1] * 10, [10] + [0] * 9))
    assert spread.value == bunched.value
    assert bunched.low < spread.low
    assert bunched.high > spread.high


def test_rates_cover_the_truth_as_often_as_they_say() -> None:
    """By simulation: of exact intervals at 95% at most 5% miss, up to the error of 400 draws."""
    rng = np.random.default_rng(0)
    found = [rate(rng.poisson(0.1, 50).tolist(), [1.0] * 50, per=1) for _ in range(400)]
    misses = sum(not each.low <= 0.1 <= each.high for each in found)
    assert misses <= stats.binom.ppf(0.999, 400, 0.05)


def test_nothing_observed_is_nan() -> None:
    """Without a trial or exposure there is no number, and 0 would be one."""
    assert np.isnan(share([], []).value)
    assert np.isnan(rate([], [], per=1).high)
    assert np.isnan(rate([0], [0.0], per=1).value)
