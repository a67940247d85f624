"""Whether a difference is beyond the noise: how often that is said where there is none, by simulation, and by scipy."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from clinometer.results.run_difference import LEAST_STEPS, PARTS, over_runs, over_steps

REPEATS = 1500
SLACK = 3 * math.sqrt(0.05 * 0.95 / REPEATS)  # three standard deviations of a share that is 5%


def noise(phi: float, n: int, random: np.random.Generator) -> np.ndarray:
    """An AR(1) series of mean 0 and variance 1, from scipy's filter, past its start."""
    return lfilter([1], [1, -phi], random.standard_normal(n + 300))[300:] * math.sqrt(1 - phi * phi)


@pytest.mark.parametrize(
    ("phi", "n", "refused"),
    [(0, 24, 0.5), (0, 100, 0.02), (0.5, 50, 0.8), (0.5, 200, 0.02), (0.9, 100, 1), (0.9, 400, 0.5)],
)
def test_false_alarms_of_correlated_noise_are_near_five_in_a_hundred(phi: float, n: int, refused: float) -> None:
    """Simulated series whose true difference is 0: at most 5% and a little are called beyond the noise, whatever φ."""
    random = np.random.default_rng(n)
    found = [over_steps(noise(phi, n, random)) for _ in range(REPEATS)]
    alarms = sum(each.p < 0.05 for each in found) / REPEATS
    assert alarms <= 0.06 + SLACK
    assert sum(bool(each.reason) for each in found) / REPEATS <= refused
    if phi == 0 and n == 100:
        assert alarms >= 0.05 - SLACK, "where nothing is refused, it is not timid either"


def test_a_true_difference_lies_in_its_interval_and_is_seen() -> None:
    """Simulated at φ = 0.5 with a difference of 1: intervals of 95% hold it, and most of them are beyond 0."""
    random = np.random.default_rng(0)
    found = [over_steps(1 + noise(0.5, 200, random)) for _ in range(500)]
    assert np.mean([each.low <= 1 <= each.high for each in found]) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 500)
    assert np.mean([each.low > 0 for each in found]) > 0.95


def test_steps_of_few_values_raise_no_more_alarms() -> None:
    """Simulated: differences rounded to whole numbers, as those of an accuracy over few answers."""
    random = np.random.default_rng(1)
    found = [over_steps(np.round(0.8 * noise(0.3, 48, random))) for _ in range(REPEATS)]
    assert np.mean([each.p < 0.05 for each in found]) <= 0.05 + SLACK


def test_the_interval_is_students_over_the_parts_medians() -> None:
    """Against scipy's one-sample test of the medians, which are taken here by hand."""
    values = np.random.default_rng(2).standard_normal(60) + 0.3
    found = over_steps(values)
    medians = [float(np.median(values[start : start + 10])) for start in range(0, 60, 10)]
    oracle = stats.ttest_1samp(medians, 0)
    low, high = oracle.confidence_interval(0.95)
    assert (found.value, found.p) == pytest.approx((np.mean(medians), oracle.pvalue))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert len(medians) == PARTS


def test_several_runs_are_compared_by_welch() -> None:
    """Against scipy's two-sample test with unequal variances."""
    random = np.random.default_rng(3)
    base, mine = random.standard_normal(4), 3 * random.standard_normal(7) + 1
    found, oracle = over_runs(base, mine), stats.ttest_ind(mine, base, equal_var=False)
    low, high = oracle.confidence_interval(0.95)
    assert (found.value, found.low, found.high) == pytest.approx((mine.mean() - base.mean(), low, high))
    assert found.p == pytest.approx(oracle.pvalue)


def test_infinite_steps_count_as_steps() -> None:
    """By hand: a few infinite differences leave the medians finite; through a whole part they leave no interval."""
    values = np.random.default_rng(4).standard_normal(60)
    few, many = values.copy(), values.copy()
    few[[3, 30, 50]] = np.inf
    many[:10] = np.inf
    assert not over_steps(few).reason
    assert over_steps(many).reason == "through a sixth of the steps or more it is infinite"


def test_what_cannot_be_told_is_not_told() -> None:
    """Few steps, slow wandering, one run a side, numbers that are not finite: a reason, and NaN for the interval."""
    random = np.random.default_rng(5)
    for found in (
        over_steps([]),
        over_steps(random.standard_normal(LEAST_STEPS - 1)),
        over_steps(random.standard_normal(200).cumsum()),
        over_steps(np.exp(np.linspace(0, 3, 100))),
        over_runs([1.0], [2.0, 3.0]),
        over_runs([1.0, math.inf], [2.0, 3.0]),
        over_runs([1.0, 1.0], [2.0, 2.0]),
    ):
        assert found.reason
        assert math.isnan(found.p)
        assert math.isnan(found.low)
    same = over_steps(np.zeros(30))
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    assert over_runs([1.0, 1.0], [1.0, 1.0]).p == 1
