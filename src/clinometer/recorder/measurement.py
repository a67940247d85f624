"""Measures a step that was taken: the rows of its probes, into the store and to the sinks."""

import contextlib
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.objective.distributed import Ranks
from clinometer.objective.objective import Batch
from clinometer.objective.params import Point
from clinometer.objective.rng import RngState
from clinometer.probes.base import Step
from clinometer.recorder.alerts.alarms import Alarms
from clinometer.recorder.mismatch import Mismatch
from clinometer.recorder.notices import FOREIGN_OPTIMIZER, LATE, LEFT_OUT, NOT_RESTORED, UNKNOWN_RATE, Notices
from clinometer.recorder.pending_step import PendingStep
from clinometer.recorder.run_facts import RunFactsWriter
from clinometer.recorder.scheduled_probes import ScheduledProbes
from clinometer.recorder.sinks import Sinks
from clinometer.recorder.standstill import Standstill
from clinometer.recorder.tolerance import Tolerance
from clinometer.store import Row, Store


class Measurement:
    """The part of a recorder that runs probes. A probe that fails costs its own row; the step's others are kept.

    What a loop does to its weights after the optimizer, and before the next step begins, belongs to the step: it clips
    them, or keeps slow copies. Most loops do nothing then. So a step is measured at once, and again in the rare case
    that its weights have moved when the next one begins; from then on steps are measured when the next one begins.

    Args:
        probes: Those that may be due.
        ranks: The processes that measure together; the first one writes.
        store, sinks: Where the rows go.
        alarms: The alerts, which see the rows of each step, and what they said.
        tolerance: Decides what becomes of errors.
        notices: Warns of what is odd about a step.
        facts: What the run is, for the store.
    """

    def __init__(
        self,
        probes: ScheduledProbes,
        ranks: Ranks,
        store: Store,
        sinks: Sinks,
        alarms: Alarms,
        tolerance: Tolerance,
        notices: Notices,
        facts: RunFactsWriter,
    ) -> None:
        self.trained = False  # a backward pass was seen at some step
        self.late = False  # weights move between the optimizer and the next step
        self.last: tuple[PendingStep, Point] | None = None  # the step that was measured last, until the next one begins
        self._mismatch = Mismatch()
        self._standstill = Standstill()
        self._probes = probes
        self._ranks = ranks
        self._store = store
        self._sinks = sinks
        self._alarms = alarms
        self._tolerance = tolerance
        self._notices = notices
        self._facts = facts

    def due(self, index: int) -> list[str]:
        """The probes that are due at a step: none where a schedule fails."""
        try:
            return self._probes.due(index)
        except Exception as error:
            self._tolerance.drop_or_raise(error)
            return []

    def evaluates(self, names: Sequence[str]) -> bool:
        """Whether any of these probes asks for a loss, a gradient or a batch."""
        return self._probes.evaluate(names)

    def begins(self, batch: Batch) -> None:
        """A step that will be measured begins on a batch."""
        self._facts.begin(batch)

    def timed(self, names: Sequence[str]) -> contextlib.AbstractContextManager[None]:
        """Count the time inside the block as spent by the budgets of these probes."""
        return self._probes.timed(names)

    def run(self, pending: PendingStep, most_batches: int, foreign_optimizer: str | None) -> None:
        """Write the rows of a step that was taken, and warn of what is odd about it.

        Args:
            pending: The step.
            most_batches: How many batches a step of this run has at most.
            foreign_optimizer: The class of an optimizer that took it, which the recorder was not given.
        """
        step = self._measured(pending, most_batches)
        if step is None:
            return
        if self._ranks.is_first:
            self._facts.write(self._store, pending, step)
        self.trained |= pending.training_loss is not None
        self.last = (pending, step.after)
        self._notices.once("foreign_optimizer", foreign_optimizer and FOREIGN_OPTIMIZER.format(foreign_optimizer))
        self._notices.once("failure", pending.objective.failures.message())
        shared = "; ".join(pending.objective.not_restored)
        self._notices.once("not_restored", shared and NOT_RESTORED.format(shared))
        left_out = pending.objective.left_out
        self._notices.once("left_out", LEFT_OUT.format(left_out) if left_out else None)
        if any(map(math.isnan, step.rates.values())) and self._probes.need_lr(pending.probes):
            self._notices.once("lr", UNKNOWN_RATE.format(step.index))
        found: dict[str, str | None] = {**step.notices}
        with self._tolerance.block():
            found["mismatch"] = self._mismatch.warning(pending, step)
            found["standstill"] = self._standstill.message(pending, step)
        for topic, message in found.items():
            self._notices.once(topic, message)
        self._alarms.act()  # last, and outside of what is tolerated: the user may have asked to end the training

    def next_step_begins(self, most_batches: int) -> Point | None:
        """Measure the last step anew if its weights have moved since, and replace its rows; a copy of them if not."""
        if self.last is None:
            return None
        (pending, after), self.last = self.last, None
        with self._tolerance.block():
            if pending.has_moved(since=after):
                self.late = True
                self._measured(pending, most_batches, again=True)
                self._notices.once("late", LATE.format(pending.index) if self._sinks.used else None)
            else:
                return after
        return None

    def state_dict(self) -> dict[str, Any]:
        """What it has learned of the run, in JSON."""
        learned = {"trained": self.trained, "warned": sorted(self._notices.topics), **vars(self._mismatch)}
        return learned | {"alerts": self._alarms.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what was learned before."""
        self.trained, self.last = state["trained"], None
        self._notices.topics = set(state["warned"])
        self._mismatch = Mismatch(state["largest_loss"], state["largest_gradient"])
        self._alarms.load_state_dict(state["alerts"])

    def _measured(self, pending: PendingStep, most_batches: int, *, again: bool = False) -> Step | None:
        """The step, with its rows written; None if there is nothing to say of it, as it could not be measured."""
        found: list[Step] = []  # none where an error in the block is tolerated
        rows: dict[str, Row] = {}
        with self._probes.timed(pending.probes), RngState.put_back():  # a probe may draw: a random direction, say
            with self._tolerance.block(pending.objective.failures):
                found.append(pending.step(most_batches))
            for step, name in itertools.product(found, pending.probes):
                with self._tolerance.block(pending.objective.failures):
                    rows[name] = self._probes.row(name, step, again=again)
            # Of a step that is measured again, once in a run, the alerts have seen what there was to see then.
            if self._alarms.alerts and rows and not again:
                with self._tolerance.block():
                    rows |= self._alarms.judge(pending.index, rows)
            with self._tolerance.block():
                pending.after.keep()  # the weights move from now on
                self._write(pending.index, rows, again)
        return next(iter(found), None)

    def _write(self, index: int, rows: dict[str, Row], again: bool) -> None:
        if rows and self._ranks.is_first:
            self._store.append(index, rows, replace=again)
            if not again:
                self._sinks.send(index, rows)
        self._tolerance.worked |= bool(rows)
