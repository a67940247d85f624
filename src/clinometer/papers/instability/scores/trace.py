"""The score of an alert at every reading of a run, from which its alarms at any threshold follow without a replay."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.papers.instability.scores.score import Call
from clinometer.recorder.alerts.combined import by_places
from clinometer.recorder.alerts.quantity_alert import REFRACTORY
from clinometer.results.run_table import Floats

NOT_FINITE = math.inf  # the score of a value that was finite and no longer is, which is an alarm at any threshold
LEAST, MOST = -50.0, 1e9  # what takes the place of lower and of higher scores where peaks are compared


@dataclass(frozen=True)
class Trace:
    """What an alert found at each of its readings that it could judge."""

    steps: tuple[int, ...]  # (readings,) rising
    scores: Floats  # (readings,)
    rankings: tuple[tuple[str, ...], ...]  # (readings,) of blocks, the most suspicious first
    measured: bool  # whether the run has a reading at all

    def ranking(self, step: int) -> tuple[str, ...]:
        """That of the last reading up to a step; () before the first."""
        place = bisect.bisect_right(self.steps, step)
        return self.rankings[place - 1] if place else ()

    def peaks(self, healthy: int) -> Floats:
        """The largest score in each span of REFRACTORY steps before a step, (spans,)."""
        spans = np.full(-(-healthy // REFRACTORY), LEAST)
        end = bisect.bisect_left(self.steps, healthy)
        scores = np.minimum(self.scores[:end], MOST)
        np.maximum.at(spans, np.array(self.steps[:end], dtype=int) // REFRACTORY, scores)
        return spans


def calls(traces: Sequence[Trace], thresholds: Sequence[float]) -> list[Call]:
    """The alarms of one alert, or of several that speak as one, at some thresholds.

    It is what the alerts themselves say: an alarm begins an episode, which lasts until no score has exceeded for
    REFRACTORY steps.

    Args:
        traces: Of each member.
        thresholds: Of each member.
    """
    spoken: dict[int, bool] = {}  # step to whether a value was no longer finite
    for each, threshold in zip(traces, thresholds, strict=True):
        for index in _begins(each, threshold):
            step = each.steps[index]
            spoken[step] = spoken.get(step, False) or each.scores[index] == NOT_FINITE
    found: list[Call] = []
    for step, lost in sorted(spoken.items()):
        if lost or not found or len(traces) == 1 or step - found[-1].step > REFRACTORY:
            found.append(Call(step, by_places([each.ranking(step) for each in traces])))
    return found


def _begins(each: Trace, threshold: float) -> list[int]:
    """The readings at which episodes begin."""
    found: list[int] = []
    held = -math.inf  # the last step that exceeded
    for index in np.flatnonzero(each.scores > threshold).tolist():
        step = each.steps[index]
        if step - held > REFRACTORY or each.scores[index] == NOT_FINITE:
            found.append(index)
        held = step
    return found
