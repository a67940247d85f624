"""The recorder: two lines in a loop, and no trace in the run.

Around a scheduled step it keeps what the step started from (parameters, buffers, random streams, modes), lets
the step happen untouched, and then measures the loss that the step saw. Between scheduled steps it does nothing.
"""

import contextlib
import operator
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer.measure.objective import Batch, LossFn, Objective
from clinometer.measure.point import Point
from clinometer.measure.rng import RngState
from clinometer.record.schedules import Schedule, every
from clinometer.store import Row, Store, Table

_NOTHING = contextlib.nullcontext()


@dataclass(frozen=True)
class Step:
    """One training step, as a probe sees it."""

    index: int
    objective: Objective  # the loss that this step saw
    before: Point  # the parameters before the step
    after: Point  # the parameters after it
    lr: float | None  # of the optimizer's first group; None without an optimizer

    @cached_property
    def start(self) -> tuple[Tensor, Point]:
        """Loss and gradient at `before`: one forward-backward pass, shared by all probes of the step."""
        return self.objective.loss_and_grad(self.before)

    @property
    def loss(self) -> Tensor:
        """The training loss of this step, bit for bit."""
        return self.start[0]

    @property
    def gradient(self) -> Point:
        """Its gradient, before any clipping or accumulation."""
        return self.start[1]


# A probe may carry `check(model, optimizer)`, which raises where it could not work; the recorder calls it at once.
Probe = Callable[[Step], Row]


class Recorder:
    """Measures a training run as it goes, and leaves it bit-identical.

    Weights, buffers, gradients, optimizer state, random streams, modes and hooks end as in a run without the
    recorder, also when a probe raises (the error is passed on, and nothing of that step is written). Put the
    whole step in the block, from the forward pass to the optimizer's step. Cost: two copies of the parameters
    and what the probes say, on scheduled steps; under a microsecond on others.

    Args:
        model: The model in training.
        loss_fn: `loss_fn(model, batch)`, the scalar that the step minimises.
        probes: What to measure: functions from a `Step` to a row, or a mapping from name to function.
        when: A schedule: says of a step's index whether to measure. A mapping from probe name to schedule gives
            each probe its own.
        optimizer: Where to read the learning rate, for probes that walk in multiples of it.
        to: A folder for `rows.sqlite`, written as the run goes; memory by default.
        start: The index of the first step; a resumed run passes its own, and rows from there on are dropped.

    Raises:
        ValueError: if `to` holds rows of another run, two probes have one name, or a probe cannot work on this model.
        TypeError: if an argument is not what it should be.

    Example:
        >>> import torch
        >>> from clinometer.record.probes import landscape
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
        optimizer: Optimizer | None = None,
        to: str | Path | None = None,
        start: int = 0,
    ) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.probes = _named(probes)
        self.schedules = _schedules(self.probes, when)
        self.optimizer = optimizer
        self.index = operator.index(start)
        self._check()
        self.store = Store(None if to is None else Path(to) / "rows.sqlite")
        self._resume(start)

    def step(self, batch: Batch) -> contextlib.AbstractContextManager[None]:
        """The block around one training step on `batch`."""
        index, self.index = self.index, self.index + 1
        due = [name for name, schedule in self.schedules.items() if schedule(index)]
        return self._measured(index, batch, due) if due else _NOTHING

    def read(self, probe: str) -> Table:
        """The rows of one probe so far: "step" (n,), and each of its fields (n, ...)."""
        return self.store.read(probe)

    @contextlib.contextmanager
    def _measured(self, index: int, batch: Batch, due: Sequence[str]) -> Generator[None]:
        objective = Objective(self.model, self.loss_fn, batch)
        before = objective.here()
        lr = None if self.optimizer is None else float(self.optimizer.param_groups[0]["lr"])
        yield
        step = Step(index, objective, before, objective.here(), lr)
        with RngState.now().replayed():  # a probe may draw: a random direction, say
            rows = {name: _row(name, self.probes[name](step)) for name in due}
        self.store.append(index, rows)

    def _check(self) -> None:
        """Say now what would go wrong at the first scheduled step, which may be hours away."""
        if not callable(self.loss_fn):
            raise TypeError(f"loss_fn must be a function of model and batch; found {self.loss_fn!r}.")
        if self.optimizer is not None and not hasattr(self.optimizer, "param_groups"):
            raise TypeError(f"optimizer must be a torch optimizer; found {self.optimizer!r}.")
        if self.index < 0:
            raise ValueError(f"start must be 0 or more; found {self.index}.")
        for probe in self.probes.values():
            getattr(probe, "check", _no_check)(self.model, self.optimizer)

    def _resume(self, start: int) -> None:
        last = self.store.last_step()
        if start == 0 and last is not None:
            raise ValueError(
                f"{self.store.path} holds the rows of another run, up to step {last}. "
                "Choose another folder, delete that one, or pass start= to go on with it."
            )
        self.store.drop_from(start)


def _schedules(probes: Mapping[str, Probe], when: Any) -> dict[str, Schedule]:
    """Each probe's schedule: its own, or the one for all."""
    chosen = dict(when) if isinstance(when, Mapping) else dict.fromkeys(probes, every(100) if when is None else when)
    if set(chosen) != set(probes):
        raise ValueError(f"`when` has schedules for {', '.join(chosen)}; expected one for each of {', '.join(probes)}.")
    for schedule in chosen.values():
        if not callable(schedule):
            raise TypeError(f"when must be a schedule such as every(100); found {schedule!r}.")
    return chosen


def _no_check(_model: nn.Module, _optimizer: Optimizer | None) -> None:
    """A probe without a `check` of its own accepts everything."""


def _row(name: str, row: Any) -> Row:
    if not isinstance(row, Mapping):
        raise TypeError(
            f"the probe {name!r} returned {type(row).__name__}; expected a mapping from names to numbers or arrays. "
            "A probe is made by a call: probes=[landscape()], not probes=[landscape]."
        )
    return row


def _named(probes: Any) -> dict[str, Probe]:
    if not isinstance(probes, Mapping | Sequence) or not probes:
        raise TypeError(f"probes must be a nonempty list or mapping, such as [landscape()]; found {probes!r}.")
    if isinstance(probes, Mapping):
        return dict(probes)
    names = [str(getattr(probe, "__name__", type(probe).__name__)) for probe in probes]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two probes are named {twice.pop()!r}; pass a mapping: probes={{'name': probe, ...}}.")
    return dict(zip(names, probes, strict=True))
