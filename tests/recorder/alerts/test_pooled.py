"""Pooled alerts: little evidence of several quantities adds up, and one wild reading is not enough."""

import json
import math

import numpy as np
import pytest

from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.pooled import PooledAlert
from clinometer.store import Row

LOSS, NORM = "train/loss", "norms/total"
Rows = dict[int, dict[str, Row]]


def drawn(seed: int, *, steps: int = 120, shift: float = 0.0, begin: int = 80) -> Rows:
    """Two series of independent log-normal noise of 0.3, both of which are shifted from a step on."""
    logs = 0.3 * np.random.default_rng(seed).standard_normal((steps, 2))
    logs[begin:] += shift
    return {
        step: {
            "train": {"loss": float(a)},
            "norms": {"total": float(b), "block": ["one", "two"], "each": [1.0, float(b)]},
        }
        for step, (a, b) in enumerate(np.exp(logs).tolist())
    }


def pooled(threshold: float = math.inf) -> PooledAlert:
    return PooledAlert({LOSS: 2.0, NORM: 1.0}, threshold, blamed=["norms/each"])


def scores(alert: PooledAlert, rows: Rows) -> list[float]:
    found: list[float] = []
    for step, at in rows.items():
        alert.see(step, at)
        found.append(alert.score)
    return found


def test_the_score_is_the_formula() -> None:
    """Worked out from the series by numpy's own median and quantiles, at every step of a run."""
    rows, alert = drawn(0), pooled()
    found = scores(alert, rows)
    logs = np.log([[at["train"]["loss"], at["norms"]["total"]] for at in rows.values()])
    evidence: list[float] = []
    for step in range(29, len(logs)):
        past = logs[max(0, step - 59) : step - 19]
        low, middle, high = np.quantile(past, [0.25, 0.5, 0.75], axis=0, method="nearest")
        z = (logs[step] - middle) / np.maximum((high - low) / 1.349, 0.1)
        evidence.append(float(np.clip(z, -6, 6) @ [2 / 3, 1 / 3]) - 0.5)
        sums = [sum(evidence[-k:]) for k in range(1, min(6, len(evidence)) + 1)]
        assert found[step] == pytest.approx(max(sums), abs=1e-9)
    assert all(math.isnan(score) for score in found[:29])


def test_evidence_of_two_adds_up_where_that_of_one_is_not_enough() -> None:
    """A shift of both by less than a deviation: power against the largest score of 8 runs without one."""

    def power(of: list[str]) -> int:
        def largest(seed: int, shift: float) -> float:
            alert = PooledAlert(dict.fromkeys(of, 1.0), math.inf)
            return max(scores(alert, drawn(seed, steps=100, shift=shift))[80:])

        null = max(largest(seed, 0.0) for seed in range(8))
        return sum(largest(seed, 0.3) > null for seed in range(100, 112))

    assert power([LOSS, NORM]) > power([LOSS])


def test_one_wild_reading_counts_no_more_than_the_clip() -> None:
    """A single batch may have any loss; its evidence is at most clip − drift, so that it alone is no alarm."""
    rows = drawn(0)
    rows[90]["train"]["loss"], rows[90]["norms"]["total"] = 1e9, 1e9
    found = scores(pooled(), rows)
    assert found[90] <= max(found[89], 0.0) + 6 - 0.5 + 1e-9


def test_blocks_are_ranked_by_their_own_past_and_the_message_names_them() -> None:
    """Only the second block moves, so that it is to be looked at first; the alarm itself is of a single number."""
    said = None
    alert = pooled(15.0)
    for step, at in drawn(0, shift=2.0).items():
        said = said or alert.see(step, at)
    assert said is not None
    assert (said.block, said.ranking) == (None, ("two", "one"))
    assert said.since >= 80 > said.since - 5
    assert "Look first at two and one." in str(said)


def test_an_alert_goes_on_from_its_state() -> None:
    """Through JSON, as checkpoints keep it: the remaining scores are the same as of one that saw it all."""
    rows, whole = drawn(0), pooled()
    expected = scores(whole, rows)
    first, second = pooled(), pooled()
    scores(first, {step: rows[step] for step in range(70)})
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert scores(second, {step: rows[step] for step in range(70, 120)}) == expected[70:]


def test_a_quantity_that_is_not_known_is_left_out() -> None:
    """Loops that call no backward() have no loss to record: NaN says nothing, for or against."""
    rows = drawn(0, shift=1.0)
    blind = {step: {**at, "train": {"loss": math.nan}} for step, at in rows.items()}
    alone = scores(PooledAlert({NORM: 1.0}, math.inf), rows)
    assert scores(pooled(), blind)[30:] == pytest.approx(alone[30:])


def test_a_loss_that_becomes_nan_is_an_alarm_at_once() -> None:
    """It was finite and is not: no threshold has to be passed."""
    alert, rows = pooled(), drawn(0)
    rows[70]["train"]["loss"] = math.nan
    said = [alarm for step, at in rows.items() if (alarm := alert.see(step, at))]
    assert [(alarm.step, alarm.kind) for alarm in said] == [(70, "not finite")]
    with pytest.raises(ValueError, match="one quantity or more, with weights"):
        PooledAlert({}, 1.0, rule=Change())
