"""An alert on one quantity: when it speaks, when it is silent, and what it remembers."""

import json
import math
from typing import Any

import numpy as np
import pytest
from properties import exact

from clinometer import alert
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.alerts.combined import CombinedAlert

NAMES = ["conv", "norm", "head"]


def rows(*values: float) -> dict[str, Any]:
    return {"p": {"block": NAMES[: len(values)], "x": list(values)}}


def noisy(steps: int, seed: int = 0) -> np.ndarray:
    return np.exp(0.1 * np.random.default_rng(seed).normal(size=(steps, 3)))


def alarms(alert: Alert, values: np.ndarray, start: int = 0) -> list[Alarm]:
    return [said for t, row in enumerate(values, start) if (said := alert.see(t, rows(*row)))]


def test_before_the_past_is_full_there_is_no_judgement() -> None:
    """Of 50 readings that it needs the change comes at the 30th: nothing is said, and it says what it waits for."""
    watched = alert("p/x", rises=True)
    values = noisy(49)
    values[30:] *= 100
    assert (alarms(watched, values), watched.waits_for) == ([], 1)
    assert math.isnan(watched.score)  # type: ignore[attr-defined]


def test_nan_is_an_alarm_at_once() -> None:
    """At the third reading, long before there is a past to compare with; and once, while it stays."""
    watched = alert("p/x", rises=True)
    said = [watched.see(t, rows(1.0, 2.0, math.nan if t > 1 else 3.0)) for t in range(80)]
    found = [each for each in said if each]
    assert [(each.step, each.block, each.kind) for each in found] == [(2, "head", "not finite")]
    assert "step 2: p/x of head became nan. Next: go back to a checkpoint" in str(found[0])


def test_nan_from_the_start_is_unknown_and_no_alarm() -> None:
    """Such as a loss that the loop never told: there was no number that it could have become NaN from."""
    watched = alert("p/x", rises=True)
    assert not any(watched.see(t, rows(math.nan, 1.0, 1.0)) for t in range(80))


def test_nan_is_said_within_an_episode_and_names_the_block_that_was_worst() -> None:
    """All blocks become NaN at one step, as one that overflows makes them: the ranking is that of the step before."""
    watched = alert("p/x", rises=True)
    values = noisy(70)
    values[60:, 1] *= 50
    values[66:] = math.nan
    first, second = alarms(watched, values)
    assert (first.step, first.block, first.kind) == (63, "norm", "rises")
    assert (second.step, second.block, second.kind) == (66, "norm", "not finite")
    assert "its usual was" in str(second)


def test_no_end_above_is_fine_where_low_values_are_suspicious() -> None:
    """An infinite headroom: the loss does not rise at any length that was tried."""
    watched = alert("p/x", below=1.0, sustained=1)
    assert not any(watched.see(t, rows(math.inf if t == 5 else 3.0)) for t in range(10))
    assert watched.see(10, rows(math.nan)) is not None


def test_one_alarm_an_episode() -> None:
    """A limit that is passed for 100 steps is said once; after 50 good steps a further one is said again."""
    watched = alert("p/x", above=2.0, sustained=1)
    values = [3.0] * 100 + [1.0] * 40 + [3.0] + [1.0] * 51 + [3.0]
    said = [t for t, v in enumerate(values) if watched.see(t, rows(v))]
    assert said == [0, 192]


def test_blocks_are_ranked_by_their_scores() -> None:
    """By construction: the second rises 20 times, the third 5 times."""
    watched = alert("p/x", rises=True)
    values = noisy(70)
    values[60:] *= [1.0, 20.0, 5.0]
    (said,) = alarms(watched, values)
    assert (said.block, said.ranking) == ("norm", ("norm", "head", "conv"))
    assert said.value == pytest.approx(20, rel=0.5)
    assert said.false_alarms is not None


def test_a_step_without_a_row_is_no_reading() -> None:
    """A probe that is due every fifth step: what counts is readings, and what is told is steps."""
    watched = alert("p/x", rises=True, sustained=2)
    said = []
    for t in range(400):
        value = 1.0 + 0.01 * (t % 3) + (9.0 if t >= 300 else 0.0)
        found = watched.see(t, rows(value) if t % 5 == 0 else {"other": {"y": 1.0}})
        said += [(found.step, found.since)] if found else []
    assert said == [(305, 300)]


def test_other_blocks_begin_a_new_past() -> None:
    """Values of one network say nothing about those of another: it waits for 50 readings again."""
    watched = alert("p/x", rises=True)
    alarms(watched, noisy(60))
    watched.see(60, rows(1.0, 2.0))
    assert watched.waits_for == 49


@pytest.mark.parametrize("cut", [1, 49, 61, 63, 64, 100])
@pytest.mark.parametrize(
    "watched",
    [
        alert("p/x", rises=True),
        alert("p/x", falls=True, relative=True),
        alert("p/x", above=5.0),
        CombinedAlert([alert("p/x", rises=True), alert("p/x", above=5.0)], name="both"),
    ],
    ids=["rises", "falls", "above", "both"],
)
def test_resumed_it_says_what_it_would_have_said(watched: Alert, cut: int) -> None:
    """The truth is the uninterrupted alert; its state goes through JSON, as in a checkpoint."""
    values = noisy(130)
    values[60:80, 1] *= 30
    values[60:80, 0] /= 30
    values[120:, 2] = math.nan
    whole = alarms(watched.fresh(), values)
    first, second = watched.fresh(), watched.fresh()
    before = alarms(first, values[:cut])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert exact(before + alarms(second, values[cut:], cut)) == exact(whole)
    assert len(whole) >= 2


def test_state_of_other_settings_is_not_taken() -> None:
    """Logarithms of shares are no logarithms: an alert that reads otherwise begins anew."""
    first, second = alert("p/x", rises=True), alert("p/x", rises=True, relative=True)
    alarms(first, noisy(60))
    second.load_state_dict(first.state_dict())
    assert second.waits_for == 50


def test_a_combined_alert_speaks_once_and_ranks_by_all() -> None:
    """Two alerts fire at steps 63 and 66: one alarm. The places of `norm` are 1 and 1, those of others sum to more."""
    total = alert("p/total", rises=True, sustained=1)
    both = CombinedAlert([alert("p/x", rises=True), total], name="both")
    said = []
    for t, row in enumerate(noisy(80)):
        row = row * ([1.0, 20.0, 1.0] if t >= 60 else 1.0)
        found = both.see(t, {"p": {"block": NAMES, "x": row, "total": 1.0 if t < 60 else 50.0}})
        said += [found] if found else []
    (alarm,) = said
    assert (alarm.step, alarm.alert, alarm.quantity, alarm.block) == (60, "both", "p/total", None)
    assert alarm.ranking[0] == "norm"


def test_a_row_without_the_field_says_what_it_holds() -> None:
    """The field's name is misspelt, and the probe declares nothing: the first row tells."""
    with pytest.raises(ValueError, match="an alert reads p/y, and the rows of p hold block, x"):
        alert("p/y", rises=True).see(0, rows(1.0))
    with pytest.raises(ValueError, match="one for each block; found p/block, which is text"):
        alert("p/block", rises=True).see(0, rows(1.0))
    with pytest.raises(ValueError, match=r"found p/z, which is of shape \(2, 3\)"):
        alert("p/z", rises=True).see(0, {"p": {"z": np.zeros((2, 3))}})
