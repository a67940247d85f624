"""Follows training steps through their states: which batches belong to a step, when it was taken, what is due then.

`step_state` has the states and what each event does in each of them.
"""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from typing import Any, ClassVar

from clinometer.objective.objective import Batch
from clinometer.objective.params import Point
from clinometer.recorder.measurement import Measurement
from clinometer.recorder.notices import ELSEWHERE, UNREPORTED, UNTRAINED, Notices
from clinometer.recorder.objectives import Objectives
from clinometer.recorder.optimizer_reading import LearningRate
from clinometer.recorder.optimizer_steps import OptimizerSteps
from clinometer.recorder.pending_step import PendingStep
from clinometer.recorder.step_state import TRANSITIONS, Action, Event, State
from clinometer.recorder.tolerance import Tolerance

_NOTHING = contextlib.nullcontext()
# Looked up once: Python 3.11 takes longer to find an enum's member than a step that is not scheduled may cost.
_IDLE, _TAKEN, _BATCH, _STEP, _LAST_STEP = State.IDLE, State.TAKEN, Event.BATCH, Event.STEP, Event.LAST_STEP


class StepTracker:
    """The part of a recorder that knows how far the present step has come.

    Args:
        index: Of the first step.
        objectives: Makes the objective of a batch, as the model stands.
        optimizers: Those that take the steps.
        lr: The learning rate where their settings do not hold it.
        measurement: Measures the steps that are due.
        tolerance: Decides what becomes of errors.
        notices: Warns of what is odd.
    """

    def __init__(
        self,
        index: int,
        objectives: Objectives,
        optimizers: Sequence[Any],
        lr: LearningRate | None,
        measurement: Measurement,
        tolerance: Tolerance,
        notices: Notices,
    ) -> None:
        self.index = index  # of the next step
        self.pending: PendingStep | None = None
        self.state = State.IDLE
        self._objectives = objectives
        self._optimizers = optimizers
        self._lr = lr
        self._measurement = measurement
        self._tolerance = tolerance
        self._notices = notices
        self._unmoved: Point | None = None  # a copy of the parameters, at the batch that begins the next step
        self._in_block = False
        self._optimizer_steps = OptimizerSteps(optimizers, self._after_optimizer)
        tolerance.on_drop(self._drop_row)

    def settle(self) -> None:
        """Between two steps: what moved the weights since the last one was measured belongs to it."""
        if self.state is _IDLE:
            self._measurement.next_step_begins(self._optimizer_steps.most_batches)

    def batch(self, batch: Batch, weight: float | None) -> contextlib.AbstractContextManager[None]:
        """The loop starts on a batch; the block that may be around it."""
        if self.state is not _IDLE:
            self._before_next_batch()
        if self._measurement.last and self.state is _IDLE:
            self._unmoved = self._measurement.next_step_begins(self._optimizer_steps.most_batches)
        self.on(_BATCH, batch, weight)
        return self._block() if self.pending else _NOTHING

    def state_dict(self) -> dict[str, Any]:
        """Its state between two steps, in JSON."""
        if self.pending:
            raise ValueError(f"step {self.pending.index} has begun and is not over; take checkpoints between steps.")
        return {"index": self.index, "most_batches": self._optimizer_steps.most_batches}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called."""
        self.index, self._optimizer_steps.most_batches = state["index"], state["most_batches"]

    def on(self, event: Event, batch: Batch = None, weight: float | None = None) -> None:
        """Change the state as `step_state.TRANSITIONS` has it, and act."""
        action, self.state = TRANSITIONS[self.state][event]
        if action is not None:
            self._ACTIONS[action](self, batch, weight)

    def _before_optimizer(self, optimizer: Any) -> None:
        if self.pending:
            with self._tolerance.block():
                self.pending.before_optimizer(optimizer)

    def _after_optimizer(self, optimizer: Any, owner: Any, last: bool) -> None:
        if self.pending:
            with self._tolerance.block():
                self.pending.after_optimizer(optimizer, owner)
        self.on(_LAST_STEP if last and not self._in_block and not self._measurement.late else _STEP)

    @contextlib.contextmanager
    def _block(self) -> Generator[None]:
        self._in_block = True
        try:
            yield
        except BaseException:
            self.on(Event.BLOCK_ERROR)
            raise
        finally:
            self._in_block = False
        if not (self._measurement.late and self.state is _TAKEN):
            self.on(Event.BLOCK_END)

    def _before_next_batch(self) -> None:
        """Find out whether the step that is under way still waits for its optimizer, as gradients accumulate."""
        if self.state is not _TAKEN:
            with self._tolerance.block() if self.pending else _NOTHING:
                if self._optimizer_steps.timed_out() or (self.pending and self.pending.has_moved()):
                    self._optimizer_steps.disable()
                    self._notices.once("unreported", UNREPORTED)
                    self.on(Event.UNREPORTED)
                elif self.pending:
                    self.pending.check_model()
                    if self.pending.gave_up():
                        self.on(Event.SKIPPED)
                    elif self.pending.stands_still():
                        self._notices.once("elsewhere", UNTRAINED)
        if self.state is _TAKEN:
            self.on(Event.CLOSE)

    def _drop_row(self) -> None:
        self.on(Event.FAILED)

    def _begin(self, batch: Batch, weight: float | None) -> None:
        index, self.index = self.index, self.index + 1
        self._optimizer_steps.begin()
        due = self._measurement.due(index)
        unmoved, self._unmoved = self._unmoved, None
        if due:
            with self._measurement.timed(due), self._tolerance.block():
                self._measurement.begins(batch)
                evaluates = self._measurement.evaluates(due)
                objective = self._objectives.on(batch) if evaluates else self._objectives.without(batch)
                # At an evaluation the bits matter, and 0 would be taken for −0.
                before = unmoved if unmoved and not evaluates and unmoved.keys() == objective.live.keys() else None
                self.pending = PendingStep(
                    index, due, objective, weight, self._optimizers, self._lr, evaluates=evaluates, before=before
                )
                self._optimizer_steps.watch(self._before_optimizer)
                self.on(Event.SNAPSHOT)
        if not self._optimizer_steps.enabled:
            self.on(Event.UNREPORTED)

    def _join(self, batch: Batch, weight: float | None) -> None:
        self._optimizer_steps.join()
        if self.pending:
            with self._tolerance.block():
                self.pending.add(batch, weight)

    def _leave(self, *_batch: Any) -> None:
        self._optimizer_steps.leave()
        if self.pending and not self.pending.remove_last():
            self.on(Event.SKIPPED)

    def _check(self, *_batch: Any) -> None:
        if self.pending:
            with self._tolerance.block():
                self.pending.check_model()

    def _forget(self, *_batch: Any) -> None:
        self._optimizer_steps.watch(None)
        if self.pending:
            self.pending.capture.stop()
            self.pending = None

    def _abandon(self, *_batch: Any) -> None:
        if self.pending:
            self.index = self.pending.index
            self._forget()

    def _measure(self, *_batch: Any) -> None:
        pending, steps = self.pending, self._optimizer_steps
        if pending is None:
            return
        self._forget()
        if not steps.enabled and self._measurement.trained and not pending.was_trained():
            self._notices.once("elsewhere", ELSEWHERE.format(pending.index) if pending.capture.bare else None)
            return  # the loop skipped it
        self._measurement.run(pending, steps.most_batches, steps.foreign_optimizer)

    _ACTIONS: ClassVar[Mapping[Action, Any]] = {
        Action.BEGIN: _begin,
        Action.JOIN: _join,
        Action.MEASURE: _measure,
        Action.CHECK: _check,
        Action.LEAVE: _leave,
        Action.FORGET: _forget,
        Action.ABANDON: _abandon,
    }
