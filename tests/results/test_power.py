"""The numbers of seeds that give 80% power, against closed forms of SciPy, published tables, and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from clinometer.results import power
from clinometer.results.power import (
    Room,
    cautious_effect,
    one_look_error,
    pilot_power,
    seeds_for,
    sign_power,
    t_power,
)
from clinometer.results.sequential_sign import sign_limit
from clinometer.results.sequential_t import t_limit

SEEDS = np.arange(2, 401)
ABOVE = (0.0, math.inf)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 3.0])
def test_with_one_bound_it_is_the_noncentral_t(effect: float) -> None:
    """SciPy's noncentral t has the same tail; the quadrature may be off by 1e-5, which moves no number of seeds."""
    limit = stats.t.isf(one_look_error(SEEDS) / 2, SEEDS - 1)
    expected = stats.nct.sf(limit, SEEDS - 1, effect * np.sqrt(SEEDS))
    for room in (Room(effect, math.inf), Room(math.inf, effect), Room(-effect, math.inf)):
        np.testing.assert_allclose(t_power(room, 400), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("effect", "wanted", "seeds"), [(0.5, 0.8, 34), (0.2, 0.8, 199), (0.8, 0.8, 15), (0.5, 0.9, 44), (0.5, 0.95, 54)]
)
def test_published_numbers_of_a_fixed_limit(
    effect: float, wanted: float, seeds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G*Power 3.1 gives these for the one-sample t at 5% on two sides; only the limit of one look differs from it."""
    monkeypatch.setattr(power, "one_look_error", lambda n, share=1.0: np.full(len(n), 0.05 * share))
    assert seeds_for(t_power(Room(effect, math.inf), 400), wanted) == seeds


def test_the_limit_is_that_of_one_look() -> None:
    """`t_limit` and `sign_limit` are what verdicts use; a power for others would promise what no verdict keeps."""
    for n in (2, 3, 8, 50):
        assert stats.t.isf(one_look_error(np.array([n]))[0] / 2, n - 1) == pytest.approx(t_limit([n]))
    for n in (6, 7, 12, 50):
        allowed = sign_limit([n])  # so many may lie on the wrong side
        for chance in (0.6, 0.95):
            assert sign_power([chance], n)[-1] == pytest.approx(stats.binom.cdf(allowed, n, 1 - chance), abs=1e-12)


@pytest.mark.parametrize(
    ("mean", "low", "high", "n"),
    [(0.1, -1.0, 1.0, 14), (0.4, -0.6, 2.0, 60), (1.5, -1.0, 1.0, 12), (0.3, -9, 9, 3)],
)
def test_two_bounds_against_simulation(mean: float, low: float, high: float, n: int) -> None:
    """Intervals of 40,000 normal samples, computed here from the limit of verdicts; four standard errors are 0.01."""
    samples = np.random.default_rng(1).normal(mean, 1.0, (40_000, n))
    margin = t_limit([n]) * samples.std(axis=1, ddof=1) / n**0.5
    lows, highs = samples.mean(axis=1) - margin, samples.mean(axis=1) + margin
    inside = low < mean < high
    decided = (lows > low) & (highs < high) if inside else (highs < low) | (lows > high)
    found = t_power(Room(mean - low, high - mean), n)[-1]
    assert found == pytest.approx(decided.mean(), abs=0.01)


@pytest.mark.parametrize(("chance", "n"), [(0.95, 12), (0.7, 40), (0.999, 7)])
def test_the_sign_test_against_simulation(chance: float, n: int) -> None:
    """Signs are drawn, and each draw is tested by SciPy's exact binomial test on two sides."""
    counts = np.random.default_rng(2).binomial(n, chance, 20_000)
    error = one_look_error(np.array([n]))[0]
    p = np.array([stats.binomtest(count, n).pvalue for count in range(n + 1)])
    decided = (p[counts] <= error) & (counts > n / 2)
    assert sign_power([chance], n)[-1] == pytest.approx(decided.mean(), abs=0.015)
    assert sign_power([chance, chance], n)[-1] <= sign_power([chance], n)[-1]


@pytest.mark.parametrize(("effect", "n"), [(1.5, 3), (0.6, 10)])
def test_one_true_effect_in_five_is_below_the_cautious_one(effect: float, n: int) -> None:
    """Pilots are drawn around a known effect; its coverage by the lower limit is 80%; four standard errors are 0.07."""
    samples = np.random.default_rng(3).normal(effect, 1.0, (600, n))
    found = samples.mean(axis=1) / samples.std(axis=1, ddof=1)
    positive = found[found > 0]
    below = [cautious_effect(each, n) <= effect for each in positive]
    assert (sum(below) + len(found) - len(positive)) / len(found) == pytest.approx(0.8, abs=0.07)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-40, 40).map(lambda i: i / 8), min_size=3, max_size=8), st.floats(0.1, 10))
def test_power_does_not_depend_on_the_scale_nor_on_the_side(samples: list[float], scale: float) -> None:
    """Scaling samples and bound, or reflecting both, changes nothing; caution never asks for fewer seeds."""
    found = pilot_power(samples, -1.0, math.inf, "t", 60)
    assert found
    scaled = pilot_power([each * scale for each in samples], -scale, math.inf, "t", 60)
    mirrored = pilot_power([-each for each in samples], -math.inf, 1.0, "t", 60)
    assert scaled
    assert mirrored
    for other in (scaled, mirrored):
        assert other.direction == found.direction
        np.testing.assert_allclose(other.likely, found.likely, atol=1e-6)
        np.testing.assert_allclose(other.cautious, found.cautious, atol=1e-6)
    assert (found.cautious <= found.likely + 1e-9).all()


def test_a_part_that_may_spend_less_needs_more() -> None:
    """One of three parts of which any one fails is judged at a third of the error."""
    alone, third = (pilot_power([-1.0, -1.5, -0.4, -2.0], *ABOVE, "t", 100, share) for share in (1.0, 1 / 3))
    assert alone
    assert third
    assert alone.direction == third.direction == "fails"
    assert (seeds_for(third.likely, 0.8) or 0) > (seeds_for(alone.likely, 0.8) or 0)


def test_what_a_pilot_cannot_tell() -> None:
    """One sample has no deviation; a loss of a dead run is no number; at the bound itself nothing decides."""
    assert pilot_power([1.0], *ABOVE, "t", 50) is None
    assert pilot_power([1.0, 2.0, math.nan], *ABOVE, "t", 50) is None
    assert pilot_power([1.0, 2.0, math.inf], *ABOVE, "t", 50) is None
    never = pilot_power([0.0, 0.0, 0.0], *ABOVE, "t", 50)
    assert never
    assert seeds_for(never.likely, 0.8) is None
    censored = pilot_power([1.0, 2.0, math.inf], *ABOVE, "sign", 50)
    alike = pilot_power([1.0, 1.0, 1.0], *ABOVE, "t", 50)  # decided by the sign test on new seeds, too
    assert censored
    assert alike
    assert censored.direction == "holds"
    np.testing.assert_array_equal(censored.likely, alike.likely)
