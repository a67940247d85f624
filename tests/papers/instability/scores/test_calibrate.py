"""Calibration: thresholds from drawn scores keep the rate that they state, within and beyond what was counted."""

import numpy as np
import pytest

from clinometer.papers.instability.scores.calibrate import curve, overlap
from clinometer.papers.instability.scores.score import PER, REFRACTORY
from clinometer.papers.instability.scores.trace import Trace
from clinometer.results.run_table import Floats


def drawn(rng: np.random.Generator, steps: int = 300) -> Trace:
    """Scores with a tail like 1/x³, one in each step."""
    return Trace(tuple(range(steps)), rng.standard_t(3, steps), ((),) * steps, measured=True)


def peaks(rng: np.random.Generator, runs: int) -> list[tuple[Floats, int]]:
    return [(drawn(rng).peaks(300), 300) for _ in range(runs)]


@pytest.mark.parametrize("rate", [30.0, 3.0, 0.3])
def test_thresholds_keep_their_rate_on_new_runs(rate: float) -> None:
    """By simulation: 24,000 healthy steps set the threshold, and 2,400,000 others count what it gives, on average.

    At 0.3 the expected count in the steps that set it is 0.7, so the tail is extrapolated; a factor of 2 is allowed.
    """
    rng = np.random.default_rng(1)
    at = [curve(peaks(rng, 80)).threshold(rate) for _ in range(20)]
    spans = np.array([drawn(rng, REFRACTORY).scores.max() for _ in range(48_000)])
    counted = np.mean([(spans > threshold).mean() for threshold in at]) * PER / REFRACTORY
    assert rate / 2 < counted < rate * 2


@pytest.mark.parametrize("rate", [50.0, 10.0, 1.0, 0.1])
def test_the_rate_of_a_threshold_is_the_rate_it_was_set_for(rate: float) -> None:
    """The two functions are inverse to each other; between two peaks the count is a step function, one peak wide."""
    found = curve(peaks(np.random.default_rng(0), 80))
    assert found.rates(np.array([found.threshold(rate)]))[0] == pytest.approx(
        rate, abs=1.001 * PER / found.steps if rate > 4.2 else 1e-9
    )


def test_only_healthy_steps_count() -> None:
    """Scores after the tampering are as large as they like: peaks end before it, also within a span."""
    sick = Trace((0, 60, 100), np.array([0.1, 0.2, 1e9]), ((),) * 3, measured=True)
    assert sick.peaks(100).tolist() == [0.1, 0.2]
    assert sick.peaks(99).tolist() == [0.1, 0.2]
    assert sick.peaks(101).tolist() == [0.1, 0.2, 1e9]
    assert curve([]).threshold(1.0) == np.inf


def test_members_that_say_the_same_share_no_rate_and_strangers_share_all_of_it() -> None:
    """Two copies of one alert speak as often as one of them; two independent ones about twice as often."""
    rng = np.random.default_rng(0)
    one, other = (peaks(rng, 200) for _ in range(2))
    curves, steps = [curve(one), curve(other)], 200 * 300
    same = [[each, each] for each, _ in one]
    apart = [[a, b] for (a, _), (b, _) in zip(one, other, strict=True)]
    assert overlap(same, [curves[0]] * 2, steps) == pytest.approx(1, abs=0.2)
    assert overlap(apart, curves, steps) == pytest.approx(2, abs=0.4)
