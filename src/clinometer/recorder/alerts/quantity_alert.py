"""An alert on one quantity: its last readings, a rule that scores them, and a threshold."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clinometer.readable.text import short
from clinometer.recorder.alerts.advice import advice_on
from clinometer.recorder.alerts.alarm import Alarm, Kind
from clinometer.recorder.alerts.base import Alert, Then
from clinometer.recorder.alerts.limit import Limit
from clinometer.recorder.alerts.reading import Numbers, Reading, Truths, read
from clinometer.recorder.alerts.rule import Rule, Scores
from clinometer.store import Row

REFRACTORY = 50  # steps for which all must be well before the same alert speaks again


class QuantityAlert(Alert):
    """Says an alarm where a rule's score of a quantity exceeds a threshold, or a value that was finite no longer is.

    One alarm is said for an episode, which lasts until the score has not exceeded for 50 steps; a value that becomes
    NaN in the meantime is said as well. Cost: about 100 microseconds a reading.

    Args:
        quantity: As "step_norms/update_ratio": a probe's name and one of its fields, a number or one for each block.
        rule: Scores the last readings.
        threshold: The score from which on it is an alarm. At infinity only a value that is not finite is one.
        name: What alarms are said in the name of.
        false_alarms: What that threshold means, in alarms per 10,000 healthy steps; NaN where it is not known.
        then: What is done at an alarm.
    """

    def __init__(
        self,
        quantity: str,
        rule: Rule,
        threshold: float,
        *,
        name: str | None = None,
        false_alarms: float = math.nan,
        then: Then | None = None,
    ) -> None:
        self.quantity, self.rule, self.threshold = quantity, rule, threshold
        self.false_alarms, self.then = false_alarms, then
        self.name = name or f"{quantity.partition('/')[2]} {self._kind}"
        self.reset()

    def __repr__(self) -> str:
        level = self.rule.limit if isinstance(self.rule, Limit) else True
        threshold = "" if isinstance(self.rule, Limit) else f", threshold={self.threshold:.3g}"
        return f"alert({short(self.quantity)}, {self._kind}={short(level)}{threshold})"

    def reset(self) -> None:
        self.score = math.nan  # the largest at the last reading; NaN while the rule cannot judge
        self._names: tuple[str, ...] = ()
        self._past: list[Numbers] = []  # the last readings, as the rule keeps them
        self._steps: list[int] = []  # of the readings
        self._last: Scores | None = None  # of the last reading that was judged
        self._held: int | None = None  # the last step at which it would have been an alarm

    @property
    def quantities(self) -> tuple[str, ...]:
        return (self.quantity,)

    @property
    def waits_for(self) -> int:
        return max(0, self.rule.needs - len(self._past))

    def ranking(self) -> tuple[str, ...]:
        return tuple(self._names[place] for place in self._order()) if self._names else ()

    def see(self, step: int, rows: Mapping[str, Row]) -> Alarm | None:
        reading = read(self.quantity, rows)
        if reading is None:
            return None
        self._keep(step, reading)
        scores = None if self.waits_for else self.rule.scores(np.array(self._past))
        lost = bool(self._lost(reading).any())
        if lost:
            self.score = math.inf  # the blocks keep their last scores, which tell them apart
        elif scores:
            self._last, self.score = scores, float(scores.excess.max())
        if not self.score > self.threshold and not lost:
            return None
        usual = scores.usual if scores else np.full(len(reading.values), np.nan)
        within, self._held = self._held is not None and step - self._held <= REFRACTORY, step
        return self._alarm(step, reading, "not finite" if lost else self._kind, usual) if lost or not within else None

    def is_read(self, rows: Mapping[str, Row]) -> bool:
        """Whether the rows of a step hold what it reads."""
        return read(self.quantity, rows) is not None

    def block_scores(self) -> dict[str, float]:
        """The score of each block at the last reading that was judged; {} before it, or where there are no blocks."""
        return dict(zip(self._names, self._last.excess.tolist(), strict=True)) if self._names and self._last else {}

    def alarm(self, step: int, rows: Mapping[str, Row]) -> Alarm:
        """What it would say of the last reading, whether or not that exceeds the threshold.

        Raises:
            ValueError: if the rows do not hold what it reads, or it cannot judge yet.
        """
        reading = read(self.quantity, rows)
        if reading is None or self._last is None:
            raise ValueError(f"{self.name} has nothing to say at step {step}: it has judged no reading of it.")
        return self._alarm(step, reading, self._kind, self._last.usual)

    def state_dict(self) -> dict[str, Any]:
        return {
            "reads": self._reads,
            "names": list(self._names),
            "past": [values.tolist() for values in self._past],
            "steps": list(self._steps),
            "last": [each.tolist() for each in vars(self._last).values()] if self._last else None,
            "score": self.score,
            "held": self._held,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["reads"] != self._reads:  # another rule kept another past
            return
        self._names, self._steps = tuple(state["names"]), list(state["steps"])
        self._past = [np.array(values) for values in state["past"]]
        self._last = Scores(*map(np.array, state["last"])) if state["last"] else None
        self.score, self._held = state["score"], state["held"]

    @property
    def _reads(self) -> str:
        return f"{self.quantity} by {self.rule}"

    @property
    def _kind(self) -> Kind:
        if isinstance(self.rule, Limit):
            return "above" if self.rule.is_rise else "below"
        return "rises" if self.rule.is_rise else "falls"

    def _keep(self, step: int, reading: Reading) -> None:
        """Add a reading to the past, which begins anew where the blocks are others."""
        if self._past and (reading.names != self._names or len(reading.values) != len(self._past[0])):
            self.reset()
        self._names = reading.names
        self._past = [*self._past[-self.rule.keeps + 1 :], self.rule.prepared(reading.values)]
        self._steps = [*self._steps[-self.rule.keeps + 1 :], step]

    def _bad(self, values: Numbers) -> Truths:
        """Which are not finite and say that something broke: no end above is none where low values are suspicious."""
        return np.isnan(values) | (values == np.inf) if self.rule.is_rise else np.isnan(values)

    def _lost(self, reading: Reading) -> Truths:
        """Which values are not finite for the first time, in a past that has finite ones, (n,)."""
        bad = self._bad(reading.values)
        if not bad.any() or len(self._past) < 2:
            return np.zeros(len(bad), bool)
        past = np.array(self._past[:-1])
        return bad & np.isfinite(past).any(axis=0) & ~self._bad(past).any(axis=0)

    def _order(self) -> Sequence[int]:
        """The blocks' places, the most suspicious first: what is not finite, then by mean scores."""
        now = self._past[-1] if self._past else np.empty(0)
        if self._last is None:
            return np.argsort(~self._bad(now), kind="stable").tolist()
        return np.lexsort((-self._last.mean, ~self._bad(now))).tolist()

    def _alarm(self, step: int, reading: Reading, kind: Kind, usual: Numbers) -> Alarm:
        worst = self._order()[0]
        called, advice = advice_on(self.quantity, kind)
        return Alarm(
            step,
            self.name,
            self.quantity,
            called,
            kind,
            block=self._names[worst] if self._names else None,
            ranking=self.ranking(),
            value=float(reading.values[worst]),
            usual=float(usual[worst]),
            since=step if kind == "not finite" else self._steps[-self.rule.sustained],
            limit=self.rule.limit if isinstance(self.rule, Limit) else math.nan,
            false_alarms=math.nan if kind == "not finite" else self.false_alarms,
            advice=advice,
        )
