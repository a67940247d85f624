"""The recorder: two lines in a loop, and no trace in the run.

At a scheduled step it keeps the start (parameters, buffers, random streams, modes), leaves the step alone, and then
measures the loss that the step saw. `step_state` has the states of a step and what each event does.
"""

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

import clinometer  # for `plot`, which draws, and is imported when it is first used
from clinometer.objective.objective import Batch, LossFn
from clinometer.objective.params_module import Params, ParamsLossFn, as_module
from clinometer.objective.precision import Precision
from clinometer.probes.base import Probe, Step
from clinometer.probes.field import declared_by
from clinometer.recorder.alerts.actions import StopTraining
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import alarms_in
from clinometer.recorder.alerts.alarms import Alarms
from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.alerts.mistakes import check_alerts
from clinometer.recorder.inert import InertRecorder
from clinometer.recorder.measurement import Measurement
from clinometer.recorder.notices import Notices
from clinometer.recorder.objectives import Objectives
from clinometer.recorder.open_store import open_store
from clinometer.recorder.optimizer_reading import LearningRate, check_lr
from clinometer.recorder.run_facts import RunFactsWriter
from clinometer.recorder.scheduled_probes import ScheduledProbes
from clinometer.recorder.schedules import Schedule
from clinometer.recorder.shown import Shown
from clinometer.recorder.sinks import Sink, Sinks
from clinometer.recorder.step_state import Event
from clinometer.recorder.step_tracker import StepTracker
from clinometer.recorder.summary import summary
from clinometer.recorder.tolerance import Tolerance
from clinometer.recorder.validation import check_arguments, check_model, check_optimizers, check_start
from clinometer.store import Table
from clinometer.transliteration import transliterated

__all__ = ["Probe", "Recorder", "Sink", "Step"]


class Recorder:
    """Measures a training run as it goes, and leaves it bit-identical.

    Weights, buffers, gradients, optimizer state, random streams, modes and hooks end as in a run without the
    recorder. Once a first measurement has worked, one that fails costs its row and a warning. Put the whole step in the
    block `with recorder.step(batch):`, from the forward pass to the optimizer's step; or write `recorder.step(batch)`
    as a line before it. Cost: on scheduled steps two copies of the parameters, and what the probes cost and hold; on
    others one to three microseconds.

    With `optimizer`, a step is a step of the optimizer: batches before one (gradient accumulation) are measured
    together, and the parameters that it holds are those that are moved: such as one network's of two, or a criterion's
    beside the model's, if `loss_fn` reaches it.

    Args:
        model: The model in training.
        loss_fn: `loss_fn(model, batch)`, the scalar that the step minimises.
        probes: Functions from a `Step` to a row, in a list, or in a mapping by name, which may be empty.
        when: A schedule, which says of a step's index whether to measure; or a mapping with one for each probe.
        params: In place of `model`, the tensors that are trained; or a function that returns the present ones, for
            training that makes new ones at each step. See `Objective`. Then it is `loss_fn(params, batch)`.
        optimizer: The one that trains the model, or a list of them. Its learning rates are read when it steps.
        lr: The learning rate where the optimizer's settings do not hold it, or there is none: a number, or a function
            without arguments that returns it.
        to: A folder for `rows.sqlite`, written as the run goes; memory by default.
        start: The index of the first step; a resumed run passes its own, and rows from there on are dropped.
        precision: `float32` measures with autocast off, `training` as the loop computes.
        sinks: Where else the rows go, such as `sinks.tensorboard("logs")`.
        alerts: What reads the rows of each measured step and may say an alarm, such as `clinometer.alert()`.
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
        lr: LearningRate | None = None,
        to: str | Path | None = None,
        start: int = 0,
        precision: Precision = "float32",
        sinks: Sequence[Sink] = (),
        alerts: Sequence[Alert] = (),
        strict: bool = False,
    ) -> None:
        check_arguments(model, params, loss_fn, to, sinks, precision)
        self.model, self.loss_fn = as_module(model, params, loss_fn)
        self._probes = ScheduledProbes(probes, when)
        self.optimizers = check_optimizers(optimizer)
        checked = check_alerts(alerts, self.probes, has_optimizer=bool(self.optimizers))
        self.precision: Precision = precision
        self.ranks = check_model(self.model, self.loss_fn, self.optimizers)
        self._probes.check(self.model, bool(self.optimizers) or lr is not None)
        self._probes.declare_costs(self.ranks.broadcast)
        index = check_start(start)
        alarms = Alarms(checked, self.ranks, self.optimizers)
        declared = declared_by(self.probes) | alarms.fields
        self.store = open_store(to if self.ranks.is_first else None, index, declared, strict=strict)
        notices = Notices(silent=not self.ranks.is_first)
        self._tolerance = Tolerance(self.ranks, notices, strict=strict)
        facts = RunFactsWriter(self.model, self.optimizers)
        sent = Sinks(sinks, declared, index)
        self._measurement = Measurement(
            self._probes, self.ranks, self.store, sent, alarms, self._tolerance, notices, facts
        )
        self._shown = Shown(self.model, self._probes, self.store, sent)
        self._alarms = alarms
        objectives = Objectives(self.model, self.loss_fn, self.optimizers, precision, self.ranks)
        self._steps = StepTracker(
            index, objectives, self.optimizers, check_lr(lr), self._measurement, self._tolerance, notices
        )

    @property
    def index(self) -> int:
        """The index of the next step."""
        return self._steps.index

    @property
    def probes(self) -> Mapping[str, Probe]:
        """The probes by name."""
        return self._probes.by_name

    @property
    def alarms(self) -> list[Alarm]:
        """What the alerts have said so far, in the order of steps. Rank 0 alone has them."""
        self.settle()
        return alarms_in(self.store)

    def step(self, batch: Batch, *, weight: float | None = None) -> contextlib.AbstractContextManager[None]:
        """Begin a training step on `batch`, or go on with one; the block around it, or a line before it.

        Args:
            batch: What `loss_fn` takes.
            weight: Of this batch in the sum of losses that the step minimises, where batches count differently.
        """
        return self._steps.batch(batch, weight)

    def skip(self) -> None:
        """The loop skips the batch of the last `step` call: it will be part of no step."""
        self._steps.on(Event.SKIP)

    def settle(self) -> None:
        """Before rows are read: measure the last step, if it was taken and nothing else has ended it.

        Raises:
            ValueError: on another rank than 0, which keeps no rows.
        """
        if not self.ranks.is_first:
            raise ValueError(f"rank {self.ranks.index} keeps no rows: rank 0 keeps them for all. Read them there.")
        if self.ranks.size == 1:  # several processes would have to measure together, and rank 0 may read alone
            with contextlib.suppress(StopTraining):  # the caller reads, and trains no further step here
                self._steps.on(Event.CLOSE)

    def read(self, probe: str) -> Table:
        """The rows of one probe so far: "step" (n,), and each of its fields (n, ...). Rank 0 alone has them."""
        self.settle()
        return self.store.read(probe)

    def plot(self, *, probes: str | Iterable[str] | None = None) -> Any:
        """What was recorded so far as a matplotlib figure: `clinometer.plot` of this recorder."""
        return clinometer.plot(self, probes=probes)

    def live(self) -> None:
        """Show a dashboard in a notebook that follows the run as it trains; elsewhere say that this is no notebook.

        It is drawn anew at a measured step, once a second at most and for 5% of the time at most, and at the end of a
        cell. Nothing is done at steps that are not measured, and no failure of it ends a training.
        """
        why = self._shown.follow() if self.ranks.is_first else None
        if why:
            print(transliterated(why, getattr(sys.stdout, "encoding", None)))

    def summary(self) -> str:
        """What was measured so far, in one line; what each budget skipped, and what failed, in more."""
        self.settle()
        lines = [
            summary(self.store),
            *map(str, self._probes.budgets),
            *self._tolerance.lines(),
            *self._alarms.lines(self.store),
        ]
        return transliterated("\n".join(lines), getattr(sys.stdout, "encoding", None))  # where it will be printed

    def state_dict(self) -> dict[str, Any]:
        """Its state between two steps: JSON, but for tensors that probes remember.

        A resumed run passes `start=state["index"]`, and loads it.
        """
        if self.ranks.is_first:
            self.settle()
        if self.ranks.size == 1:  # several ranks would have to measure together, and one may take the checkpoint
            self._steps.settle()
        return {
            **self._steps.state_dict(),
            "measurement": self._measurement.state_dict(),
            "probes": self._probes.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called; rows from there on are dropped."""
        self.drop()
        self._steps.load_state_dict(state)
        self._measurement.load_state_dict(state["measurement"])
        self._probes.load_state_dict(state["probes"])
        self.store.drop_from(self.index)

    def drop(self) -> None:
        """Forget the step that is under way: it will not be taken, or is not to be measured."""
        self._measurement.last = None
        self._steps.on(Event.DROP)

    def __repr__(self) -> str:
        return self._shown.line()

    def _repr_html_(self) -> str:
        try:
            self.settle()
        except Exception as error:  # a notebook shows it
            return self._shown.failed(error)
        return self._shown.html()

    def __reduce__(self) -> tuple[type[InertRecorder], tuple[()]]:
        """A copy, or what is unpickled, measures nothing: the run and its file belong to this one."""
        return InertRecorder, ()
