"""The recorder: two lines in a loop, and no trace in the run.

Around a scheduled step it keeps what the step started from (parameters, buffers, random streams, modes), lets
the step happen untouched, and then measures the loss that the step saw. Between scheduled steps it does nothing.
"""

import contextlib
import time
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from clinometer.measure.conditions import Precision, check_precision
from clinometer.measure.contract import trainable_of
from clinometer.measure.objective import Batch, LossFn
from clinometer.measure.rng import RngState
from clinometer.record.arguments import check_probes, index_of, named, optimizers_of, row_of, schedules_of
from clinometer.record.attempt import Attempt, Probe, Step, held_by, warn
from clinometer.record.budget import Budget
from clinometer.record.schedules import Schedule
from clinometer.store import Row, Store, Table

__all__ = ["Probe", "Recorder", "Sink", "Step"]

Sink = Callable[[int, Mapping[str, Row]], None]

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
        >>> from clinometer.record.lines import landscape
        >>> from clinometer.record.schedules import every
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
        self.sinks = list(sinks)
        self._first = next(iter(trainable_of(model, held_by(self.optimizers)).values()))  # its version tells of moves
        self._version = self._first._version
        check_probes(self.probes, model, self.optimizers)
        self.store = Store(None if to is None else Path(to) / "rows.sqlite")
        self._resume(start)
        self._attempt: Attempt | None = None
        self._due: list[str] = []
        self._inside = False  # a `with` block: the step ends where it does
        self._taken = True  # the step that began last is over
        self._hooked = _hook(self)
        self._doubted = False
        for schedule, names in self.schedules:
            if isinstance(schedule, Budget):
                schedule.declare(1 + sum(float(getattr(self.probes[name], "cost", 1.0)) for name in names), int)

    def step(self, batch: Batch) -> contextlib.AbstractContextManager[None]:
        """Begin a training step on `batch`, or go on with one; the block around it, or a line before it."""
        if self._goes_on():
            if self._attempt:
                self._attempt.objective.also(batch)
        else:
            self._begin(batch)
        return self._block() if self._attempt else _NOTHING

    def read(self, probe: str) -> Table:
        """The rows of one probe so far: "step" (n,), and each of its fields (n, ...)."""
        if self._taken or not self._hooked:
            self._finish()
        return self.store.read(probe)

    def _goes_on(self) -> bool:
        """Whether the step that began last has yet to be taken: gradients accumulate."""
        if self._taken or not self._hooked:
            return False
        if self._attempt and not self._attempt.waits_for_more():
            self.drop()  # a scaler found infinite gradients and skipped the step; this batch is for it, then
            self.index -= 1
            return False
        if self._version == self._first._version:
            return True
        self._hooked = False
        warn(
            "the parameters moved, but not by a step of the optimizer that the recorder was given; from here on each "
            "batch counts as one step. If another optimizer trains the model, pass that, or a list of all."
        )
        return False

    def _begin(self, batch: Batch) -> None:
        self._finish()  # without an optimizer the next step is the first to know that the last one is over
        index, self.index = self.index, self.index + 1
        self._taken, self._version = False, self._first._version
        self._due = [name for schedule, names in self.schedules if schedule(index) for name in names]
        if self._due:
            with self._timed():
                self._attempt = Attempt(index, self.model, self.loss_fn, batch, self.optimizers, self.precision)

    @contextlib.contextmanager
    def _block(self) -> Generator[None]:
        self._inside = True
        try:
            yield
        except BaseException:
            self.drop()
            raise
        finally:
            self._inside = False
        attempt = self._attempt
        if attempt and (self._taken or not self._hooked or attempt.has_moved() or not attempt.waits_for_more()):
            self._finish()

    def stepped(self) -> None:
        """The optimizer says that it has taken its step; of several, the last may be yet to come."""
        self._taken = True
        if self._attempt and not self._inside and len(self.optimizers) == 1:
            self._finish()

    def drop(self) -> None:
        """Forget the step that has begun: it will not be taken, or is not to be measured."""
        attempt, self._attempt, self._taken = self._attempt, None, True
        if attempt:
            attempt.witness.rest()

    def _finish(self) -> None:
        attempt = self._attempt
        if attempt is None:
            return
        self.drop()
        with self._timed(), RngState.now().replayed():  # a probe may draw: a random direction, say
            step = attempt.step()
            rows = {name: row_of(name, self.probes[name](step)) for name in self._due}
            self.store.append(step.index, rows)
        self._say(attempt.doubt(step))
        for sink in list(self.sinks):
            self._tell(sink, step.index, rows)

    @contextlib.contextmanager
    def _timed(self) -> Generator[None]:
        """Tell the budgets what was spent inside the block, work queued before it left out."""
        due = (schedule for schedule, names in self.schedules if names[0] in self._due)
        budgets = [schedule for schedule in due if isinstance(schedule, Budget)]
        if budgets and torch.cuda.is_initialized():
            torch.cuda.synchronize()
        began = time.perf_counter()
        yield
        for budget in budgets:
            budget.paid((time.perf_counter() - began) / len(budgets))

    def _say(self, doubt: str | None) -> None:
        if doubt and not self._doubted:
            self._doubted = True
            warn(doubt)

    def _tell(self, sink: Sink, index: int, rows: Mapping[str, Row]) -> None:
        try:
            sink(index, rows)
        except Exception as error:  # a tracker that is down must not end the training that it tracks
            self.sinks.remove(sink)
            warn(f"a sink failed and gets no more rows ({type(error).__name__}: {error}); they are in the store.")

    def _resume(self, start: int) -> None:
        last = self.store.last_step()
        if start == 0 and last is not None:
            raise ValueError(
                f"{self.store.path} holds the rows of another run, up to step {last}. "
                "Choose another folder, delete that one, or pass start= to go on with it."
            )
        self.store.drop_from(start)


def _hook(recorder: Recorder) -> bool:
    """Have the optimizers tell when they step; whether they can."""
    known = weakref.ref(recorder)  # an optimizer that outlives the recorder does not keep it

    def stepped(_optimizer: Optimizer, _args: object, _kwargs: object) -> None:
        found = known()
        if found:
            found.stepped()

    able = [optimizer for optimizer in recorder.optimizers if hasattr(optimizer, "register_step_post_hook")]
    for optimizer in able:
        weakref.finalize(recorder, optimizer.register_step_post_hook(stepped).remove)
    return bool(able)
