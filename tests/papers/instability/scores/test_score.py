"""Scores of alerts: against runs whose alarms are written by hand, and the rate of an alarm that is drawn at random."""

import dataclasses

import numpy as np
import pytest

from clinometer.papers.instability.scores.outcome import Outcome
from clinometer.papers.instability.scores.score import Call, Watched, score

HEALTHY = Outcome("healthy", "mlp", "none", "tuning", steps=300, from_step=300)
SICK = Outcome("sick", "mlp", "lr", "tuning", 300, from_step=100, tampered_block="head", broke_at=180)


def watched(outcome: Outcome, *steps: int, ranking: tuple[str, ...] = ()) -> Watched:
    return Watched(outcome, tuple(Call(step, ranking) for step in steps))


@pytest.mark.parametrize(
    ("steps", "lead", "false_alarms"),
    [
        ((), 0, 0),
        ((100,), 80, 0),  # the first tampered step counts
        ((160,), 20, 0),  # the last one in time
        ((161,), 19, 0),  # too late, which the lead tells
        ((180,), 0, 0),  # at the break itself: no announcement
        ((99,), 0, 1),  # a step too early: false
        ((10, 30, 59, 60, 150), 30, 2),  # 10 to 59 are one episode, 60 another
    ],
)
def test_alarms_count_by_their_step(steps: tuple[int, ...], lead: int, false_alarms: int) -> None:
    """The rule in words, by hand: false before the tampering, then an announcement until the break."""
    found = watched(SICK, *steps)
    assert (found.lead, found.false_alarms) == (lead, false_alarms)


def test_a_score_is_the_sum_of_its_runs() -> None:
    """Four runs whose every number can be counted on paper."""
    late = dataclasses.replace(SICK, broke_at=110)  # ten steps after the tampering: nobody could announce it in time
    harmless = dataclasses.replace(SICK, broke_at=None)
    runs = [
        watched(HEALTHY, 50, 250),
        watched(SICK, 120, ranking=("stem", "head")),
        watched(late),
        watched(harmless, 150),
    ]
    found = score(runs)
    assert found.announced.value == 0.5
    assert (found.of_possible.value, found.of_possible.n) == (1.0, 1)
    assert found.leads == (15.0, 30.0, 45.0)  # of leads 0 and 60
    assert found.false_alarms.value == pytest.approx(2 / 600 * 10_000)  # the harmless run's later alarm is not one
    assert found.guilty.value == 1.0
    assert (found.harmless, found.untouched) == (1, 0)


def test_runs_that_break_by_themselves_are_left_out_and_counted() -> None:
    """Nobody knows since when such a run was ill, so that its alarms are neither right nor wrong."""
    found = score([watched(dataclasses.replace(HEALTHY, broke_at=200), 50), watched(HEALTHY)])
    assert (found.false_alarms.value, found.false_alarms.n, found.untouched) == (0, 300, 1)
    assert np.isnan(found.announced.value)


@pytest.mark.parametrize(
    ("ranking", "block", "guilty"),
    [
        (("a", "head", "b"), "head", 1.0),
        (("a", "b", "head"), "head", 0.0),
        ((), "head", 0.0),
        (("head",), None, np.nan),
    ],
)
def test_only_the_two_first_blocks_are_blamed(ranking: tuple[str, ...], block: str | None, guilty: float) -> None:
    """A third place is no help to a user, an alert that names nobody has failed, and nobody to blame is no failure."""
    found = score([watched(dataclasses.replace(SICK, tampered_block=block), 120, ranking=ranking)])
    assert found.guilty.value == pytest.approx(guilty, nan_ok=True)


def test_a_random_alarm_has_the_rate_that_it_is_drawn_at() -> None:
    """Alarms at each step with probability p begin an episode every 1/p + 50 steps or so: renewal theory."""
    rng, p = np.random.default_rng(0), 0.002
    long = dataclasses.replace(HEALTHY, steps=3_000, from_step=3_000)
    runs = [watched(long, *np.flatnonzero(rng.random(3_000) < p).tolist()) for _ in range(100)]
    found = score(runs).false_alarms
    assert found.low < 10_000 / (1 / p + 49) < found.high
