"""Several quantities judged together: a little evidence of each adds up, over quantities and over steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.base import Alert, Then
from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.quantity_alert import REFRACTORY, QuantityAlert
from clinometer.store import Row

KNOWN = -1e8  # a score below is that of a value which is not known


class PooledAlert(Alert):
    """Says an alarm where several quantities together have left their past for long, though none of them may by itself.

        e_t = Σ w min(max(z_t, −clip), clip) / Σ w − drift    over quantities, with weights w
        score = max over k ≤ span of Σ_{i > t−k} e_i

    z is a quantity's deviation from its own past in robust standard deviations, as `Change` has it: from 10 to 40
    readings, which end 20 before the newest one. Clipped, a single reading counts for little, however far out it lies.
    A value that was finite and no longer is, is an alarm at once.

    Which block is the most suspicious is told by quantities of blocks: by the mean of their clipped z at this step.

    Cost: 20 to 100 microseconds for each quantity.

    Source: Page (1954), Biometrika 41, 100, for the sum; Huber (1964) for the clipping.

    Args:
        quantities: Of one number each, as "step_norms/loss", to their weights.
        threshold: The score from which on it is an alarm.
        blamed: Quantities with a number for each block, which tell the blocks apart.
        rule: Says what is usual; its newest reading alone is judged.
        span: Over how many of the newest readings it sums at most.
        drift: What is subtracted at each reading: half of the change that is looked for.
        clip: The most that one reading counts, in robust standard deviations.
        name: What alarms are said in the name of.
        false_alarms: What that threshold means, in alarms per 10,000 healthy steps; NaN where it is not known.
        then: What is done at an alarm.
    """

    def __init__(
        self,
        quantities: Mapping[str, float],
        threshold: float,
        *,
        blamed: Sequence[str] = (),
        rule: Change | None = None,
        span: int = 6,
        drift: float = 0.5,
        clip: float = 6.0,
        name: str = "pooled",
        false_alarms: float = math.nan,
        then: Then | None = None,
    ) -> None:
        if not quantities or not all(weight > 0 for weight in quantities.values()):
            raise ValueError(f"a pooled alert needs one quantity or more, with weights above 0; found {quantities}.")
        self.rule = rule or Change(sustained=1, lag=20, least=10)
        self.weights = dict(quantities)
        self.members = [QuantityAlert(each, self.rule, math.inf) for each in quantities]
        self.blamed = [QuantityAlert(each, self.rule, math.inf) for each in blamed]
        self.threshold, self.span, self.drift, self.clip = threshold, span, drift, clip
        self.name, self.false_alarms, self.then = name, false_alarms, then
        self.reset()

    def reset(self) -> None:
        self.members, self.blamed = ([each.fresh() for each in alerts] for alerts in (self.members, self.blamed))
        self.score = math.nan  # NaN while nothing can be judged
        self._evidence: list[float] = []  # of the last readings
        self._steps: list[int] = []  # of these
        self._held: int | None = None  # the last step at which it would have been an alarm

    @property
    def quantities(self) -> tuple[str, ...]:
        return tuple(each.quantity for each in (*self.members, *self.blamed))

    @property
    def waits_for(self) -> int:
        return max(each.waits_for for each in self.members)

    def ranking(self) -> tuple[str, ...]:
        found: dict[str, list[float]] = {}
        for each in self.blamed:
            for name, z in each.block_scores().items():
                found.setdefault(name, []).append(float(np.clip(z, -self.clip, self.clip)))
        means = {name: -math.fsum(scores) / len(scores) for name, scores in found.items()}
        return tuple(sorted(means, key=means.__getitem__))

    def see(self, step: int, rows: Mapping[str, Row]) -> Alarm | None:
        for each in self.blamed:
            each.see(step, rows)
        said = [each.see(step, rows) for each in self.members]
        lost = next((alarm for alarm in said if alarm), None)
        self._add(step, rows)
        if lost:
            self.score, self._held = math.inf, step
            return replace(lost, alert=self.name, ranking=self.ranking())
        if not self.score > self.threshold:
            return None
        within, self._held = self._held is not None and step - self._held <= REFRACTORY, step
        return None if within else self._alarm(step, rows)

    def is_read(self, rows: Mapping[str, Row]) -> bool:
        """Whether the rows of a step hold any of what it judges."""
        return any(each.is_read(rows) for each in self.members)

    def state_dict(self) -> dict[str, Any]:
        return {
            "reads": self._reads,
            "members": [each.state_dict() for each in (*self.members, *self.blamed)],
            "score": self.score,
            "evidence": list(self._evidence),
            "steps": list(self._steps),
            "held": self._held,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["reads"] != self._reads:  # another alert's evidence
            return
        for each, its in zip((*self.members, *self.blamed), state["members"], strict=True):
            each.load_state_dict(its)
        self.score, self._held = state["score"], state["held"]
        self._evidence, self._steps = list(state["evidence"]), list(state["steps"])

    @property
    def _reads(self) -> str:
        return f"{self.weights}, {', '.join(self.quantities)} by {self.rule}, {self.span}, {self.drift}, {self.clip}"

    def _add(self, step: int, rows: Mapping[str, Row]) -> None:
        """Add the evidence of a step, if any of the quantities was measured there and can be judged."""
        judged = [each for each in self.members if each.is_read(rows) and not each.waits_for]
        known = {each.quantity: each.score for each in judged if each.score > KNOWN}
        if not known:
            return
        weights = [self.weights[quantity] for quantity in known]
        clipped = np.clip(list(known.values()), -self.clip, self.clip)
        pooled = float(np.average(clipped, weights=weights)) - self.drift
        self._evidence = [*self._evidence[-self.span + 1 :], pooled]
        self._steps = [*self._steps[-self.span + 1 :], step]
        self.score = float(np.cumsum(self._evidence[::-1]).max())

    def _alarm(self, step: int, rows: Mapping[str, Row]) -> Alarm:
        """What is said of the quantity that lies farthest out now, and of the blocks."""
        worst = max((each for each in self.members if each.is_read(rows)), key=_score)
        since = self._steps[-1 - int(np.cumsum(self._evidence[::-1]).argmax())]
        told = worst.alarm(step, rows)
        return replace(told, alert=self.name, ranking=self.ranking(), since=since, false_alarms=self.false_alarms)


def _score(alert: QuantityAlert) -> float:
    return alert.score
