"""The alarms that people use today, against their textbook forms."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.recorder.alerts.baselines import BASELINES, Cusum, ZScore


@given(st.integers(0, 10_000), st.floats(0.1, 100), st.floats(-100, 100))
def test_the_z_score_is_that_of_the_readings_before(seed: int, scale: float, shift: float) -> None:
    """By scipy's own z-scores relative to a sample; invariant under a change of unit."""
    stats = pytest.importorskip("scipy.stats")
    past = shift + scale * np.random.default_rng(seed).normal(size=(51, 3))
    (expected,) = stats.zmap(past[-1:], past[:-1], axis=0, ddof=1)
    np.testing.assert_allclose(ZScore().scores(past).excess, expected, rtol=1e-8, atol=1e-8)


@given(st.integers(0, 10_000), st.floats(-1, 2))
def test_the_cusum_is_pages_recursion(seed: int, rise: float) -> None:
    """S ← max(0, S + z − drift), begun at 0 twenty readings ago, ends at the largest sum of the last ones, or at 0."""
    past = np.random.default_rng(seed).normal(size=(70, 1))
    past[60:] += rise
    before, newest = past[:50, 0], past[50:, 0]
    reached = 0.0
    for z in (newest - before.mean()) / before.std(ddof=1):
        reached = max(0.0, reached + z - 0.5)
    found = float(Cusum().scores(past).excess[0])
    assert max(found, 0.0) == pytest.approx(reached, abs=1e-9)


@pytest.mark.parametrize("name", BASELINES)
def test_each_finds_what_it_is_made_for(name: str) -> None:
    """A quantity that rises tenfold at step 150 of 200 and was flat before, with a scatter of 3%."""
    alert = BASELINES[name](8.0)
    (quantity,) = alert.quantities
    probe, _, field = quantity.partition("/")
    rng = np.random.default_rng(0)
    said: list[int] = []
    for step in range(200):
        row: dict[str, Any] = {field: math.exp(0.03 * rng.normal()) * (10 if step >= 150 else 1)}
        said += [step] if alert.see(step, {probe: row}) else []
    assert said
    assert 150 <= said[0] <= 154


@pytest.mark.parametrize("rule", [ZScore(), Cusum()])
def test_a_series_that_does_not_move_has_no_z_score(rule: ZScore | Cusum) -> None:
    """0/0 is no evidence, and anything else over 0 infinitely much."""
    past = np.ones((rule.keeps, 2))
    past[-1, 1] = 2.0
    still, moved = rule.scores(past).excess.tolist()
    assert (still < 0, moved) == (True, math.inf)
