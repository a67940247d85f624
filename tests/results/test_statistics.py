import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clinometer.results.statistics import interval, sign_flip_p
from clinometer.studies.claims import judge_part
from clinometer.studies.comparison import above, below

SAMPLES = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


@given(SAMPLES)
def test_interval_is_the_one_of_scipys_t_test(samples: list[float]) -> None:
    """The truth is scipy's one-sample t-test; it rounds like ours to about 1e-9."""
    if np.ptp(samples) < 1e-6:
        return
    found = interval(samples)
    theirs = stats.ttest_1samp(samples, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-6, abs=1e-8)


def test_the_interval_covers_what_it_says_with_three_seeds() -> None:
    """Simulated: of 4,000 normal triples 95% of intervals hold the mean; the count's standard error is 0.34%."""
    samples = np.random.default_rng(0).normal(size=(4000, 3))
    covered = np.mean([(i := interval(row)).low <= 0 <= i.high for row in samples])
    assert covered == pytest.approx(0.95, abs=4 * 0.0034)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=7))
def test_sign_flip_is_scipys_exact_permutation_test(values: list[int]) -> None:
    """The truth is scipy's exact test with paired sign flips; integers keep ties exact."""
    theirs = (
        stats.permutation_test((values,), np.sum, permutation_type="samples", n_resamples=np.inf)
        if len(values) > 1
        else None
    )
    expected = theirs.pvalue if theirs else 1.0
    assert sign_flip_p(values) == pytest.approx(expected)


def test_sign_flip_floors() -> None:
    """2/2ⁿ: with three seeds no p below 0.25 exists, with five none below 0.0625."""
    assert sign_flip_p([1, 2, 3]) == 0.25
    assert sign_flip_p([1, 2, 3, 4, 5]) == 0.0625
    with pytest.raises(ValueError, match="1 to 16"):
        sign_flip_p([])


def test_one_seed_decides_nothing() -> None:
    """No spread is known, so no interval is finite."""
    assert interval([3.0]).low == -np.inf
    assert judge_part(above("x", [3.0])).verdict == judge_part(below("x", [3.0])).verdict == "undecided"


def test_a_number_that_is_not_finite_decides_nothing() -> None:
    """It must not be dropped silently: the other two seeds would decide alone."""
    assert judge_part(above("x", [1.0, 1.1, np.nan])).verdict == "undecided"
    assert interval([1.0, np.inf]).n == 2


@given(SAMPLES, st.floats(-10, 10))
def test_above_and_below_never_both_hold(samples: list[float], bound: float) -> None:
    """They are opposite statements: one's holding is the other's failing."""
    opposite = {"holds": "fails", "fails": "holds", "undecided": "undecided"}
    assert judge_part(below("x", samples, bound)).verdict == opposite[judge_part(above("x", samples, bound)).verdict]


def test_no_samples_is_an_error() -> None:
    """The mean of nothing is a NaN that would travel far."""
    with pytest.raises(ValueError, match="one sample per seed"):
        interval([])
