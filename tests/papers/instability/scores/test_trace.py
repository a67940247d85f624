"""Traces: alarms from scores at any threshold are those that the alerts themselves give when they are replayed."""

import numpy as np
import pytest

from clinometer.papers.instability.scores.candidates import CANDIDATES, Candidate
from clinometer.papers.instability.scores.replay import Steps, replay
from clinometer.papers.instability.scores.score import Call
from clinometer.papers.instability.scores.trace import calls
from clinometer.papers.instability.scores.tracing import trace
from clinometer.recorder.alerts.combined import CombinedAlert

BLOCKS = ["stem", "body", "head"]
NAMES = (
    "loss and update norm, pooled",
    "update ratio, relative",
    "ratio, gradient or loss",
    "loss z-score",
    "loss CUSUM",
)
CHOSEN = [each for each in CANDIDATES if each.name in NAMES]


def drawn(seed: int, steps: int = 150) -> Steps:
    """Rows of a walk with leaps in single blocks, and with values that are no longer finite near the end."""
    rng = np.random.default_rng(seed)
    logs = 0.1 * rng.standard_normal((steps, 3, 3)).cumsum(0)
    for _ in range(4):
        begin, block = rng.integers(40, steps - 10), rng.integers(3)
        logs[begin : begin + rng.integers(3, 20), block] += rng.uniform(0, 4)
    values = np.exp(logs)
    if seed % 2:
        values[-5:, 1] = np.nan
    return {
        step: {
            "step_norms": {
                "block": BLOCKS,
                "gradient_norm": of[:, 0],
                "update_norm": of[:, 1],
                "update_ratio": of[:, 2],
                "loss": float(of[0, 0]),
                "total_gradient_norm": float(of[:, 0].sum()),
                "total_update_norm": float(of[:, 1].sum()),
            }
        }
        for step, of in enumerate(values)
    }


@pytest.mark.parametrize("candidate", CHOSEN, ids=lambda candidate: candidate.name)
def test_alarms_from_traces_are_those_of_the_alerts(candidate: Candidate) -> None:
    """The oracle is the alert itself, which sees the rows one by one as in a living run; one run has NaN."""
    spoken = 0
    for seed in range(2):
        rows = drawn(seed)
        for threshold in (1.5, 5.0):
            at = [threshold] * len(candidate.members)
            alert = candidate.alert(at)
            expected = [Call(alarm.step, alarm.ranking) for alarm in replay(alert, rows)]
            assert calls([trace(each.alert(), rows) for each in candidate.members], at) == expected
            assert isinstance(alert, CombinedAlert) == (len(candidate.members) > 1)
            spoken += len(expected)
    assert spoken > 2


def test_runs_without_the_quantity_have_an_empty_trace() -> None:
    """A network without attention has no logits: its steps are none in which such an alert could have been wrong."""
    [member] = next(each.members for each in CANDIDATES if each.name == "attention logits")
    empty = {step: {"attention_logits": {"layer": [], "largest": []}} for step in range(80)}
    for rows in ({0: {"step_norms": {"loss": 1.0}}}, empty):
        found = trace(member.alert(), rows)
        assert (found.steps, found.measured) == ((), False)
