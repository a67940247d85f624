"""How many seeds a claim of several parts needs, against simulated claims that are decided by the rule itself."""

import math

import numpy as np
import pytest
from scipy import stats

from clinometer.results.sequential_t import t_limit
from clinometer.studies.claims import Evidence
from clinometer.studies.comparison import AS_MEASURED, FACTOR, above, below, within
from clinometer.studies.seeds_needed import seeds_needed


def standard(mean: float) -> list[float]:
    """Five samples with this mean and a standard deviation of 1."""
    values = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    return list(mean + values / values.std(ddof=1))


def decided(n: int, effects: list[float], error: float, correlation: float) -> np.ndarray:
    """Of 20,000 studies of n seeds, whether each part's interval excludes 0 on its side, (studies, parts)."""
    draw = np.random.default_rng(n)
    shared = draw.normal(size=(20_000, n, 1)) * correlation**0.5
    samples = shared + draw.normal(size=(20_000, n, len(effects))) * (1 - correlation) ** 0.5 + np.array(effects)
    t = samples.mean(axis=1) / samples.std(axis=1, ddof=1) * n**0.5
    return t > stats.t.isf(stats.t.sf(t_limit([n]), n - 1) * error, n - 1)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_all_parts_together_hold_with_the_power_promised(correlation: float) -> None:
    """Three parts, independent or nearly the same, all hold in 80% of studies or more; with fewer seeds in fewer."""
    effects = [1.0, 1.1, 1.5]
    found = seeds_needed(Evidence(tuple(above(str(each), standard(each)) for each in effects)))
    assert found
    assert found.likely
    assert found.direction == "holds"
    assert found.part.name == "1.0"
    assert decided(found.likely, effects, 1.0, correlation).all(axis=1).mean() > 0.79
    if not correlation:  # where the chances to miss do add up, nearly
        assert decided(found.likely - 2, effects, 1.0, correlation).all(axis=1).mean() < 0.8


def test_one_part_that_fails_is_enough_and_is_held_against_the_number_of_parts() -> None:
    """The failing part is decided at a third of the error; the others need not be decided, nor be finite."""
    parts = (above("leans", standard(0.1)), below("fails", standard(1.0)), above("dead", [math.inf, 1.0, 2.0]))
    found = seeds_needed(Evidence(parts))
    assert found
    assert found.likely
    assert found.direction == "fails"
    assert found.part.name == "fails"
    for n, enough in ((found.likely, True), (found.likely - 2, False)):
        assert (decided(n, [1.0], 1 / 3, 0.0).mean() > 0.79) == enough


def test_what_needs_more_than_the_largest_number_and_what_cannot_be_told() -> None:
    """An effect of a hundredth of a deviation needs 80,000 seeds by the textbook's (2.8/d)²."""
    found = seeds_needed(Evidence((above("small", standard(0.01)),)), most=400)
    assert found
    assert found.likely is None
    assert found.cautious is None
    assert seeds_needed(Evidence((above("one seed", [1.0]),))) is None
    assert seeds_needed(Evidence((above("sound", standard(1.0)), above("dead", [math.nan, 1.0, 2.0])))) is None


def test_more_power_and_narrower_bounds_take_more_seeds() -> None:
    """Monotone in both, and no caution ever saves a seed."""
    by_power = [seeds_needed(Evidence((above("x", standard(0.7)),)), power) for power in (0.5, 0.8, 0.95)]
    by_margin = [seeds_needed(Evidence((within("x", standard(0.1), -m, m),))) for m in (2.0, 1.0, 0.6)]
    for found in (by_power, by_margin):
        likely = [each.likely or 0 for each in found if each]
        assert likely == sorted(likely)
        assert len(set(likely)) == 3
        assert all(each and (each.cautious or math.inf) >= (each.likely or 0) for each in found)


def test_a_delay_that_never_ends_is_long() -> None:
    """The sign test takes it as larger than the bound: ten such, all above, need no more than those seeds."""
    needed = seeds_needed(Evidence((above("delay", [math.inf] * 10, 90.0, method="sign"),)))
    assert needed
    assert needed.likely
    assert needed.likely <= 10
    assert needed.direction == "holds"


def test_factors_need_the_seeds_of_their_logarithms() -> None:
    """The unit in which an effect is told changes nothing: samples are compared on one scale."""
    logs = [0.1, 1.9, 1.0, 0.4, 1.6]
    found = [seeds_needed(Evidence((above("gap", logs, unit=unit),))) for unit in (AS_MEASURED, FACTOR)]
    assert found[0]
    assert found[1]
    assert found[0].likely == found[1].likely
