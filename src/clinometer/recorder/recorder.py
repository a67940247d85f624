"""The recorder: two lines in a loop, and no trace in the run.

Around a scheduled step it keeps what the step started from (parameters, buffers, random streams, modes), lets
the step happen untouched, and then measures the loss that the step saw. Between scheduled steps it does nothing.
"""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from clinometer.objective.objective import Batch, LossFn
from clinometer.objective.precision import Precision, check_precision
from clinometer.objective.rng import RngState
from clinometer.probes.base import Probe, Step, cost_of
from clinometer.recorder.budget import Budget, timed
from clinometer.recorder.optimizer_steps import OptimizerSteps
from clinometer.recorder.pending_step import PendingStep, warn
from clinometer.recorder.schedules import Schedule
from clinometer.recorder.sinks import Sinks, store_for
from clinometer.recorder.summary import summary
from clinometer.recorder.trackers import Sink
from clinometer.recorder.validation import (
    check_probes,
    index_of,
    named,
    optimizers_of,
    row_of,
    schedules_of,
    trained_by,
)
from clinometer.store import Table

__all__ = ["Probe", "Recorder", "Sink", "Step"]

_NOTHING = contextlib.nullcontext()


class Recorder:
    """Measures a training run as it goes, and leaves it bit-identical.

    Weights, buffers, gradients, optimizer state, random streams, modes and hooks end as in a run without the
    recorder, also when a probe raises (the error is passed on, and nothing of that step is written). Put the
    whole step in the block `with recorder.step(batch):`, from the forward pass to the optimizer's step; or write
    `recorder.step(batch)` as a line before it. Cost: two copies of the parameters and what the probes say, on
    scheduled steps; under a microsecond on others.

    With `optimizer`, a step is a step of the optimizer: batches before one (gradient accumulation) are measured
    together, and the parameters that it holds are those that are moved, such as one network's of two.

    Args:
        model: The model in training.
        loss_fn: `loss_fn(model, batch)`, the scalar that the step minimises.
        probes: What to measure: functions from a `Step` to a row, or a mapping from name to function.
        when: A schedule: says of a step's index whether to measure. A mapping from probe name to schedule gives
            each probe its own.
        optimizer: The one that trains the model, or a list of them; the learning rate is that of its first group.
        to: A folder for `rows.sqlite`, written as the run goes; memory by default.
        start: The index of the first step; a resumed run passes its own, and rows from there on are dropped.
        precision: `float32` measures with autocast off, `training` as the loop computes.
        sinks: Where else the rows go, such as `trackers.tensorboard("logs")`.

    Raises:
        ValueError: if `to` holds rows of another run, two probes have one name, or a probe cannot work on this model.
        TypeError: if an argument is not what it should be.

    Example:
        >>> import torch
        >>> from clinometer.probes.landscape import landscape
        >>> from clinometer.recorder.schedules import every
        >>> model = nn.Linear(1, 1, bias=False)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> loss_fn = lambda model, batch: 2 * model(batch).square().sum()       # β = 4
        >>> recorder = Recorder(model, loss_fn, probes=[landscape()], when=every(5), optimizer=optimizer)
        >>> for _ in range(10):
        ...     batch = torch.ones(1, 1)
        ...     with recorder.step(batch):
        ...         loss_fn(model, batch).backward(); optimizer.step(); optimizer.zero_grad()
        >>> recorder.read("landscape")["beta"].round(3)
        array([4., 4.])
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        probes: Sequence[Probe] | Mapping[str, Probe],
        when: Schedule | Mapping[str, Schedule] | None = None,
        *,
        optimizer: Optimizer | Sequence[Optimizer] | None = None,
        to: str | Path | None = None,
        start: int = 0,
        precision: Precision = "float32",
        sinks: Sequence[Sink] = (),
    ) -> None:
        if not callable(loss_fn):
            raise TypeError(f"loss_fn must be a function of model and batch; found {loss_fn!r}.")
        check_precision(precision)
        self.model = model
        self.loss_fn = loss_fn
        self.probes = named(probes)
        self.schedules = schedules_of(self.probes, when)
        self.optimizers = optimizers_of(optimizer)
        self.index = index_of(start)
        self.precision: Precision = precision
        self.ranks = trained_by(model, loss_fn, self.optimizers)
        check_probes(self.probes, model, self.optimizers)
        self.store = store_for(to if self.ranks.is_first else None, self.index, self.probes)
        self._sinks = Sinks(sinks, self.probes)
        self._attempt: PendingStep | None = None
        self._due: list[str] = []
        self._inside = False  # a `with` block: the step ends where it does
        self._footsteps = OptimizerSteps(self.optimizers, self.stepped)
        self._largest = 0.0  # the largest loss that training has minimised so far
        self._said: set[str] = set()
        self._budgets = [schedule for schedule, _ in self.schedules if isinstance(schedule, Budget)]
        for schedule, names in self.schedules:
            if isinstance(schedule, Budget):
                schedule.declare(1 + sum(cost_of(self.probes[name]) for name in names), self.ranks.agreed)

    def step(self, batch: Batch) -> contextlib.AbstractContextManager[None]:
        """Begin a training step on `batch`, or go on with one; the block around it, or a line before it."""
        if self._footsteps.taken or not self._goes_on():
            self._begin(batch)
        else:
            self._footsteps.join()
            if self._attempt:
                self._attempt.also(batch)
        return self._block() if self._attempt else _NOTHING

    def read(self, probe: str) -> Table:
        """The rows of one probe so far: "step" (n,), and each of its fields (n, ...). Rank 0 alone has them."""
        self._settle()
        return self.store.read(probe)

    def summary(self) -> str:
        """What was measured so far, in one line; and what a budget left out, in one more."""
        self._settle()
        return "\n".join([summary(self.store), *map(str, self._budgets)])

    def state_dict(self) -> dict[str, Any]:
        """What it knows between two steps, in JSON; a run that goes on passes `start=state["index"]`, and loads it."""
        if self.ranks.is_first:
            self._settle()
        if self._attempt:
            raise ValueError(f"step {self._attempt.index} has begun and is not over; take checkpoints between steps.")
        known = {"index": self.index, "usual": self._footsteps.usual, "largest": self._largest}
        return known | {"said": sorted(self._said), "budgets": [each.state_dict() for each in self._budgets]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called; rows from there on are dropped."""
        self.drop()
        self.index, self._footsteps.usual, self._largest = state["index"], state["usual"], state["largest"]
        self._said = set(state["said"])
        for budget, known in zip(self._budgets, state["budgets"], strict=True):
            budget.load_state_dict(known)
        self.store.drop_from(self.index)

    def _settle(self) -> None:
        """End a step that has been taken, and of which nothing else tells that it is over."""
        if not self.ranks.is_first:
            raise ValueError(f"rank {self.ranks.index} keeps no rows: rank 0 keeps them for all. Read them there.")
        if self.ranks.size == 1 and (self._footsteps.taken or not self._footsteps.audible):
            self._finish()  # several processes would have to do so together, and rank 0 may read alone

    def _goes_on(self) -> bool:
        """Whether the step that began last has yet to be taken: gradients accumulate."""
        attempt, footsteps = self._attempt, self._footsteps
        if not footsteps.audible:
            return False
        if footsteps.lost() or (attempt and any(self.ranks.numbers(attempt.has_moved()))):
            footsteps.deafen()
            self._say(
                "silence",
                "the optimizer that the recorder was given took no step, but training went on; from here on each batch "
                "counts as one step. Pass the optimizer that trains the model, or a list of all that do.",
            )
            return False
        if attempt and not attempt.waits_for_more():
            attempt.check_model()
            self._give_up()  # a scaler found infinite gradients and skipped the step; this batch is for it, then
            return False
        return True

    def _begin(self, batch: Batch) -> None:
        if self._attempt:
            self._finish()  # without an optimizer the next step is the first to know that the last one is over
        index, self.index = self.index, self.index + 1
        due: list[str] = []
        for schedule, names in self.schedules:
            if schedule(index):
                due += names
        self._footsteps.begin(telling=bool(due))
        if due:
            self._due = due
            with self._timed():
                self._attempt = PendingStep(
                    index, self.model, self.loss_fn, batch, self.optimizers, self.precision, self.ranks
                )

    @contextlib.contextmanager
    def _block(self) -> Generator[None]:
        self._inside = True
        try:
            yield
        except BaseException:
            self._give_up()
            raise
        finally:
            self._inside = False
        if self._footsteps.taken or not self._footsteps.audible:
            self._finish()
        elif self._attempt:
            self._attempt.check_model()

    def stepped(self) -> None:
        """The optimizers say that they have taken their step."""
        if not self._inside:
            self._finish()

    def _give_up(self) -> None:
        """No step came of what was begun; the next batch begins it anew."""
        if self._attempt and self._footsteps.audible and not self._footsteps.taken:
            self.index = self._attempt.index
        self.drop()

    def drop(self) -> None:
        """Forget the step that has begun: it will not be taken, or is not to be measured."""
        attempt, self._attempt, self._footsteps.taken = self._attempt, None, True
        if attempt:
            attempt.witness.rest()

    def _finish(self) -> None:
        if (attempt := self._attempt) is None:
            return
        self.drop()
        with self._timed(), RngState.now().replayed():  # a probe may draw: a random direction, say
            with self.ranks.together():
                step = attempt.step(self._footsteps.usual)
                rows = {name: row_of(name, self.probes[name](step)) for name in self._due}
            with self.ranks.together():
                if self.ranks.is_first:
                    self.store.append(step.index, rows)
                    self._sinks.tell(step.index, rows)
        if not self.ranks.is_first:
            return
        self._say("doubt", attempt.doubt(step, self._largest))
        self._say("domain", attempt.objective.failures.message())
        self._largest = max(self._largest, abs(attempt.seen or 0.0))
        if self._footsteps.stranger:
            self._say(
                "stranger",
                f"the parameters are moved by a {self._footsteps.stranger} that the recorder was not given; it goes on "
                "with the learning rate of the one it was. Give it a list of all, or make a new Recorder with start=.",
            )

    def _timed(self) -> contextlib.AbstractContextManager[None]:
        return timed([schedule for schedule, names in self.schedules if names[0] in self._due])

    def _say(self, topic: str, message: str | None) -> None:
        """Warn, once of each topic."""
        if message and topic not in self._said:
            self._said.add(topic)
            warn(message)
