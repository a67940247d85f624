"""Intervals of shares with clusters."""

import pytest
from scipy import stats

from clinometer.results.shares import design_effect, share


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (3, 10), (9, 10), (12, 12)])
def test_without_clusters_it_is_clopper_and_pearsons(successes: int, trials: int) -> None:
    """As SciPy's exact binomial test has it, an implementation that is not ours."""
    found = share([True] * successes + [False] * (trials - successes), range(trials))
    exact = stats.binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert (found.value, found.n) == (successes / trials, trials)


def test_copies_of_a_trial_tell_nothing_new() -> None:
    """Each trial four times over, as a cluster: the interval is about as wide as that of the trials alone."""
    hits = [True, True, True, False, True, False, True, True, False, True]
    alone = share(hits, range(10))
    copied = share([hit for hit in hits for _ in range(4)], [cluster for cluster in range(10) for _ in range(4)])
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert design_effect([hit for hit in hits for _ in range(4)], [c for c in range(10) for _ in range(4)]) > 3


def test_no_trial_has_no_share() -> None:
    """NaN, and nobody takes it for 0."""
    found = share([], [])
    assert found.n == 0
    assert found.value != found.value
