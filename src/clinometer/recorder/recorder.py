"""The recorder: two lines in a loop, and no trace in the run.

At a scheduled step it keeps the start (parameters, buffers, random streams, modes), leaves the step alone, and then
measures the loss that the step saw. `step_state` has the states of a step and what each event does.
"""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import nn
from torch.optim import Optimizer

from clinometer.objective.objective import Batch, LossFn
from clinometer.objective.params_module import Params, ParamsLossFn, as_module
from clinometer.objective.precision import Precision
from clinometer.probes.base import Probe, Step
from clinometer.recorder.measurement import Measurement
from clinometer.recorder.notices import UNREPORTED, Notices
from clinometer.recorder.open_store import open_store
from clinometer.recorder.optimizer_steps import OptimizerSteps
from clinometer.recorder.pending_step import PendingStep
from clinometer.recorder.scheduled_probes import ScheduledProbes
from clinometer.recorder.schedules import Schedule
from clinometer.recorder.sinks import Sink
from clinometer.recorder.step_state import TRANSITIONS, Action, Event, State
from clinometer.recorder.summary import summary
from clinometer.recorder.tolerance import Tolerance
from clinometer.recorder.validation import check_arguments, check_model, check_optimizers, check_start
from clinometer.store import Table

__all__ = ["Probe", "Recorder", "Sink", "Step"]

_NOTHING = contextlib.nullcontext()
# Looked up once: Python 3.11 takes longer to find an enum's member than a step that is not scheduled may cost.
_IDLE, _TAKEN, _BATCH, _STEP, _LAST_STEP = State.IDLE, State.TAKEN, Event.BATCH, Event.STEP, Event.LAST_STEP


class Recorder:
    """Measures a training run as it goes, and leaves it bit-identical.

    Weights, buffers, gradients, optimizer state, random streams, modes and hooks end as in a run without the
    recorder. Once a first measurement has worked, one that fails costs its row and a warning. Put the whole step in the
    block `with recorder.step(batch):`, from the forward pass to the optimizer's step; or write `recorder.step(batch)`
    as a line before it. Cost: on scheduled steps two copies of the parameters and the probes' own cost; on others one
    to two microseconds.

    With `optimizer`, a step is a step of the optimizer: batches before one (gradient accumulation) are measured
    together, and the parameters that it holds are those that are moved, such as one network's of two.

    Args:
        model: The model in training.
        loss_fn: `loss_fn(model, batch)`, the scalar that the step minimises.
        probes: Functions from a `Step` to a row, in a list, or in a mapping by name, which may be empty.
        when: A schedule, which says of a step's index whether to measure; or a mapping with one for each probe.
        params: In place of `model`, the tensors that are trained; or a function that returns the present ones, for
            training that makes new ones at each step. See `Objective`. Then it is `loss_fn(params, batch)`.
        optimizer: The one that trains the model, or a list of them; the learning rate is that of its first group.
        to: A folder for `rows.sqlite`, written as the run goes; memory by default.
        start: The index of the first step; a resumed run passes its own, and rows from there on are dropped.
        precision: `float32` measures with autocast off, `training` as the loop computes.
        sinks: Where else the rows go, such as `sinks.tensorboard("logs")`.
        strict: Raise what a measurement raises, also after a first one has worked.

    Raises:
        ValueError: if `to` holds rows of another run, two probes have one name, or a probe cannot work on this model.
        TypeError: if an argument is not what it should be.

    Example:
        >>> import torch
        >>> from clinometer import every, landscape
        >>> model = nn.Linear(1, 1, bias=False)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> loss_fn = lambda model, batch: 2 * model(batch).square().sum()       # β = 4
        >>> recorder = Recorder(model, loss_fn, probes=[landscape()], when=every(5), optimizer=optimizer)
        >>> for _ in range(10):
        ...     with recorder.step(batch := torch.ones(1, 1)):
        ...         loss_fn(model, batch).backward(); optimizer.step(); optimizer.zero_grad()
        >>> recorder.read("landscape")["beta"].round(3)
        array([4., 4.])
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        loss_fn: LossFn | ParamsLossFn | None = None,
        probes: Sequence[Probe] | Mapping[str, Probe] = (),
        when: Schedule | Mapping[str, Schedule] | None = None,
        *,
        params: Params | None = None,
        optimizer: Optimizer | Sequence[Optimizer] | None = None,
        to: str | Path | None = None,
        start: int = 0,
        precision: Precision = "float32",
        sinks: Sequence[Sink] = (),
        strict: bool = False,
    ) -> None:
        check_arguments(loss_fn, precision)
        self.model, self.loss_fn = as_module(model, params, loss_fn)
        self._probes = ScheduledProbes(probes, when)
        self.optimizers = check_optimizers(optimizer)
        self.index = check_start(start)
        self.precision: Precision = precision
        self.ranks = check_model(self.model, self.loss_fn, self.optimizers)
        self._probes.check(self.model, self.optimizers)
        self._probes.declare_costs(self.ranks.broadcast)
        self.store = open_store(to if self.ranks.is_first else None, self.index, self.probes)
        self._notices = Notices()
        self._tolerance = Tolerance(self.ranks, self._notices, self._drop_row, strict=strict)
        self._measurement = Measurement(self._probes, self.ranks, self.store, sinks, self._tolerance)
        self._state, self._in_block = State.IDLE, False
        self._pending: PendingStep | None = None
        self._optimizer_steps = OptimizerSteps(self.optimizers, self._on_optimizer_step)

    @property
    def probes(self) -> Mapping[str, Probe]:
        """The probes by name."""
        return self._probes.by_name

    def step(self, batch: Batch) -> contextlib.AbstractContextManager[None]:
        """Begin a training step on `batch`, or go on with one; the block around it, or a line before it."""
        if self._state is not _IDLE:
            self._before_next_batch()
        self._on(_BATCH, batch)
        return self._block() if self._pending else _NOTHING

    def read(self, probe: str) -> Table:
        """The rows of one probe so far: "step" (n,), and each of its fields (n, ...). Rank 0 alone has them."""
        self._close()
        return self.store.read(probe)

    def summary(self) -> str:
        """What was measured so far, in one line; what each budget skipped, and what failed, in more."""
        self._close()
        return "\n".join([summary(self.store), *map(str, self._probes.budgets), *self._tolerance.lines()])

    def state_dict(self) -> dict[str, Any]:
        """Its state between two steps, in JSON; a resumed run passes `start=state["index"]`, and loads it."""
        if self.ranks.is_first:
            self._close()
        if self._pending:
            raise ValueError(f"step {self._pending.index} has begun and is not over; take checkpoints between steps.")
        return {
            "index": self.index,
            "most_batches": self._optimizer_steps.most_batches,
            **self._notices.state_dict(),
            "budgets": self._probes.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called; rows from there on are dropped."""
        self.drop()
        self.index = state["index"]
        self._optimizer_steps.most_batches = state["most_batches"]
        self._notices.load_state_dict(state)
        self._probes.load_state_dict(state["budgets"])
        self.store.drop_from(self.index)

    def drop(self) -> None:
        """Forget the step that is under way: it will not be taken, or is not to be measured."""
        self._on(Event.DROP)

    def _on(self, event: Event, batch: Batch = None) -> None:
        """Change the state as `step_state.TRANSITIONS` has it, and act."""
        action, self._state = TRANSITIONS[self._state][event]
        if action is not None:
            self._ACTIONS[action](self, batch)

    def _on_optimizer_step(self, last: bool) -> None:
        self._on(_LAST_STEP if last and not self._in_block else _STEP)

    @contextlib.contextmanager
    def _block(self) -> Generator[None]:
        self._in_block = True
        try:
            yield
        except BaseException:
            self._on(Event.BLOCK_ERROR)
            raise
        finally:
            self._in_block = False
        self._on(Event.BLOCK_END)

    def _close(self) -> None:
        """Before rows are read: measure the last step, if it was taken and nothing else has ended it."""
        if not self.ranks.is_first:
            raise ValueError(f"rank {self.ranks.index} keeps no rows: rank 0 keeps them for all. Read them there.")
        if self.ranks.size == 1:  # several processes would have to measure together, and rank 0 may read alone
            self._on(Event.CLOSE)

    def _before_next_batch(self) -> None:
        """Find out whether the step that is under way still waits for its optimizer, as gradients accumulate."""
        if self._state is not _TAKEN:
            with self._tolerance.block() if self._pending else _NOTHING:
                if self._optimizer_steps.timed_out() or (self._pending and self._pending.has_moved()):
                    self._optimizer_steps.disable()
                    self._notices.once("unreported", UNREPORTED)
                    self._on(Event.UNREPORTED)
                elif self._pending and not self._pending.holds_gradients():
                    self._pending.check_model()
                    self._on(Event.SKIPPED)
        if self._state is _TAKEN:
            self._on(Event.CLOSE)

    def _drop_row(self) -> None:
        self._on(Event.FAILED)

    def _begin(self, batch: Batch) -> None:
        index, self.index = self.index, self.index + 1
        self._optimizer_steps.begin()
        due = self._measurement.due(index)
        if due:
            with self._probes.timed(due), self._tolerance.block():
                self._pending = PendingStep(
                    index, due, self.model, self.loss_fn, batch, self.optimizers, self.precision, self.ranks
                )
                self._on(Event.SNAPSHOT)
        if not self._optimizer_steps.enabled:
            self._on(Event.UNREPORTED)

    def _join(self, batch: Batch) -> None:
        self._optimizer_steps.join()
        if self._pending:
            with self._tolerance.block():
                self._pending.add(batch)

    def _check(self, _batch: Batch) -> None:
        if self._pending:
            with self._tolerance.block():
                self._pending.check_model()

    def _forget(self, _batch: Batch) -> None:
        if self._pending:
            self._pending.capture.stop()
            self._pending = None

    def _abandon(self, batch: Batch) -> None:
        if self._pending:
            self.index = self._pending.index
            self._forget(batch)

    def _measure(self, batch: Batch) -> None:
        pending = self._pending
        if pending is None:
            return
        self._forget(batch)
        step = self._measurement.run(pending, self._optimizer_steps.most_batches)
        if step and self.ranks.is_first:
            self._notices.after(pending, step, self._optimizer_steps.foreign_optimizer)

    _ACTIONS: ClassVar[Mapping[Action, Any]] = {
        Action.BEGIN: _begin,
        Action.JOIN: _join,
        Action.MEASURE: _measure,
        Action.CHECK: _check,
        Action.FORGET: _forget,
        Action.ABANDON: _abandon,
    }
