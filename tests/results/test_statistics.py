import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from clinometer.results.statistics import holm, interval, logit
from clinometer.studies.claims import judge_part
from clinometer.studies.comparison import above, below, points_at

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


@pytest.mark.parametrize("p", [[0.01], [0.01, 0.04, 0.03], [0.2, 0.9, 0.01, 0.011, 0.5]])
def test_holm_is_the_step_down_by_hand(p: list[float]) -> None:
    """Written out from Holm's definition: the j-th smallest is rejected if all up to it are below level/(m − j + 1).

    The adjusted p is the smallest level at which it is rejected, found here by trying levels.
    """
    levels = np.linspace(0.0005, 0.9995, 1000)

    def rejected(which: int, level: float) -> bool:
        place = sorted(p).index(p[which])
        return all(sorted(p)[j] <= level / (len(p) - j) for j in range(place + 1))

    by_trying = [min([level for level in levels if rejected(k, level)], default=1.0) for k in range(len(p))]
    assert holm(p) == pytest.approx(by_trying, abs=0.0011)


@given(st.lists(st.floats(0, 1) | st.just(np.nan), max_size=9))
def test_holm_keeps_the_order_and_leaves_out_what_was_not_tested(p: list[float]) -> None:
    """Its definition: adjusted values are no smaller, in the same order, at most Bonferroni's; NaN stays NaN."""
    adjusted, tested = holm(p), sum(not np.isnan(value) for value in p)
    for before, after in zip(p, adjusted, strict=True):
        assert (np.isnan(before) and np.isnan(after)) or before <= after <= min(1, before * tested)
    pairs = sorted((b, a) for b, a in zip(p, adjusted, strict=True) if not np.isnan(b))
    assert [a for _, a in pairs] == sorted(a for _, a in pairs)


@given(st.floats(0, 1), st.integers(1, 10_000))
def test_logit_gives_the_accuracy_back(accuracy: float, count: int) -> None:
    """The truth is scipy's expit: it returns the accuracy, drawn half an answer of one more towards a half."""
    expected = (accuracy * count + 0.5) / (count + 1)
    assert special.expit(logit(accuracy, count)) == pytest.approx(expected)


@given(st.floats(-8, 8), st.floats(-50, 50))
def test_points_stay_within_what_an_accuracy_can_be(reference: float, difference: float) -> None:
    """The truth is scipy's expit; no end of an interval, however wide, leads out of 0 to 100%."""
    points, other = points_at(reference).shown(difference), 100 * special.expit(reference)
    assert points == pytest.approx(100 * special.expit(reference + difference) - other, abs=1e-9)
    assert -1e-9 <= other + points <= 100 + 1e-9


def test_logit_refuses_what_is_no_share() -> None:
    """A percentage given as a share would be NaN, or a number that means nothing."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        logit([83.0], 100)


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
