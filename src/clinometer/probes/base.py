"""What a probe is: a function from one recorded step to a row of named arrays."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ParamSpec

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from clinometer.measures.noise_scale import BatchNorms
from clinometer.objective.batches import Batches
from clinometer.objective.computed import difference
from clinometer.objective.objective import LossFn, Objective
from clinometer.objective.other_loss import other_loss
from clinometer.objective.params import Point
from clinometer.probes.field import Field, Fields
from clinometer.probes.used_gradient import Agreement, UsedGradient
from clinometer.readable.call import call_text
from clinometer.readable.results import readable
from clinometer.readable.text import name_of, number
from clinometer.store import Row

_P = ParamSpec("_P")


@readable
@dataclass(frozen=True)
class Step:
    """One training step, as a probe sees it."""

    index: int
    objective: Objective  # the loss that this step saw
    before: Point  # the parameters before the step
    after: Point  # the parameters where the next step begins
    lr: float | None  # the learning rate; NaN if parameters have several, or it is unknown; None without an optimizer
    rates: Mapping[str, float]  # the learning rate of each parameter, negative where the optimizer maximizes
    optimizers: tuple[Any, ...] = ()  # that took the step
    used: UsedGradient | None = None  # that the optimizer had when it stepped; None where it is unknown
    rounding: float = 1e-3  # by which share that may differ from the measured one for reasons of precision
    trained: float = math.nan  # the loss that the loop itself minimised, of all processes; NaN where it is unknown
    # What the probe that runs now left here at its last measurement in this run: numbers and detached tensors by name,
    # such as where a search ended. It replaces them; the recorder keeps them for it, also in checkpoints.
    memory: dict[str, Any] = field(default_factory=dict)
    notices: dict[str, str] = field(default_factory=dict)  # by topic, what to warn of once in a run

    def on(self, batches: Batches | None, loss_fn: LossFn | None = None) -> "Step":
        """This step with the loss of other batches, or by another function: `objective`, `start`, `loss`, `gradient`.

        Where it started and went, its rates and `factor`, and what the probe remembers, stay the step's own. Probes
        that were given the same `Batches` and function share the start. None is the step itself.
        """
        if batches is None and loss_fn is None:
            return self
        key = (id(batches), id(loss_fn))
        if key not in self._on:
            if self.used is not None:
                self.used.compare(self.gradient)  # before theirs could be taken for it
            objective = self.objective if batches is None else self.objective.on(batches)
            self._on[key] = replace(self, objective=objective if loss_fn is None else other_loss(objective, loss_fn))
        return self._on[key]

    @cached_property
    def _on(self) -> dict[tuple[int, int], "Step"]:
        return {}

    @cached_property
    def start(self) -> tuple[Tensor, Point]:
        """Loss and gradient at `before`: one forward-backward pass, shared by all probes of the step."""
        start = self.objective.loss_and_grad(self.before, show=self.norms.show)
        if self.used is not None:
            self.used.compare(start[1])
        return start

    @cached_property
    def norms(self) -> BatchNorms:
        """The norms of the gradients of its batches alone, noted as `start` is computed."""
        return BatchNorms(self.objective)

    @property
    def loss(self) -> Tensor:
        """The training loss of this step, bit for bit."""
        return self.start[0]

    @property
    def gradient(self) -> Point:
        """Its gradient, before any clipping; with accumulation, that of all batches of the step."""
        return self.start[1]

    @property
    def update(self) -> Point:
        """What the step added to the parameters, `after` − `before`, computed as it is read: it takes no memory."""
        return difference(self.after, self.before)

    @property
    def agreement(self) -> Agreement | None:
        """The gradient that the optimizer used, compared with `gradient`; None where that is unknown, zero or NaN."""
        return None if self.used is None else self.used.compare(self.gradient)

    @property
    def factor(self) -> float:
        """What the gradient was multiplied by before the optimizer used it, as by clipping.

        1 if it was not multiplied, or more than that was done to it.
        """
        found = self.agreement
        if found is None or not found.proportional(self.rounding) or abs(found.factor - 1) <= self.rounding:
            return 1.0
        return found.factor


# A probe may carry `fields`, which declares the fields of its rows by name; `cost`, in forward-backward passes beside
# the one at the start that the step's probes share; `needs_lr`, where it measures nothing without a learning rate;
# `evaluates = False`, where it asks for no loss, gradient or batch, which are then not kept for it; and `check(model)`,
# which is called before the first step and raises if the probe cannot work.
Probe = Callable[[Step], Row]
Check = Callable[[nn.Module], None]


# What several probes declare alike: fields with equal declarations are one quantity, and are shown once.
LAYER = Field(("layer",), meaning="the names of the layers", kind="text", drawing="none")
LOSS = Field(unit="loss", meaning="the training loss of this step, bit for bit", headline=True, label="loss")
_LOSS_OF_BATCHES = replace(LOSS, meaning="the mean loss of several batches where the step starts")


def make_probe(
    name: str,
    measure: Probe,
    fields: Fields,
    cost: float,
    check: Check | None = None,
    *,
    needs_lr: bool = False,
    evaluates: bool = True,
    batches: Batches | None = None,
    became: Mapping[str, Any] | None = None,
) -> Probe:
    """The function `measure` as a probe: with its name, its declared fields, its cost and its check.

    The cost is in forward-backward passes and leaves out the one at the start of the step, which its probes share. With
    `batches`, where `measure` takes the loss of `step.on(batches)`, all are those of one batch. Its repr shows what
    it was called with, and what arguments `became` where that says more.
    """
    if batches is not None:
        name, fields, check = f"{name}_batches", _fields_on_batches(fields), _check_on_batches(batches, check)
        cost = (cost + 1) * len(batches)  # with the start on these
    declared: dict[str, Any] = {"fields": fields, "cost": cost, "needs_lr": needs_lr, "evaluates": evaluates}
    return MadeProbe(name, measure, declared | ({"check": check} if check else {}), became or {})


class MadeProbe:
    """A probe that tells what it was called with, and what it costs.

    Example:
        >>> make_probe("mine", lambda step: {}, {}, cost=2.0)
        mine, 3 passes
    """

    def __init__(self, name: str, measure: Probe, declared: Mapping[str, Any], became: Mapping[str, Any]) -> None:
        self.__name__, self.became = name, became
        self.call: Callable[[], str] = lambda: name_of(self)
        self._measure = measure
        vars(self).update(declared)

    def __call__(self, step: Step) -> Row:
        return self._measure(step)

    def __repr__(self) -> str:
        passes = cost_of(self) + evaluates(self)  # with the one at the start of the step
        return f"{self.call()}, {number(passes)} pass{'' if passes == 1 else 'es'}"


def probe_factory(make: Callable[_P, Probe]) -> Callable[_P, Probe]:
    """A decorator of functions that make probes: what they make shows the call.

    Example:
        >>> @probe_factory
        ... def mine(scale=1.0):
        ...     return make_probe("mine", lambda step: {}, {}, cost=scale)
        >>> mine(scale=0.5)
        mine(scale=½), 1.5 passes
    """

    @functools.wraps(make)
    def made(*args: _P.args, **options: _P.kwargs) -> Probe:
        probe = make(*args, **options)
        if isinstance(probe, MadeProbe):
            probe.call = lambda: call_text(make, args, options, probe.became)
        return probe

    return made


def _fields_on_batches(fields: Fields) -> dict[str, Field]:
    """The declarations of such a row, from those of a row that is measured on the step's own batch."""
    return {
        name: _LOSS_OF_BATCHES
        if field == LOSS
        else field
        if field.kind == "text"
        else replace(field, meaning=f"{field.meaning}; of the mean loss of several batches")
        for name, field in fields.items()
    }


def _check_on_batches(batches: Batches, check: Check | None) -> Check:
    def checked(model: nn.Module) -> None:
        batches.read()
        if check:
            check(model)

    return checked


def cost_of(probe: Probe) -> float:
    """The probe's declared cost in forward-backward passes; one where it declares none."""
    return float(getattr(probe, "cost", 1.0))


def evaluates(probe: Probe) -> bool:
    """Whether the probe asks for a loss, a gradient or a batch: yes, unless it declares otherwise."""
    return bool(getattr(probe, "evaluates", True))


def padded(rows: list[Tensor]) -> Tensor:
    """Rows of different lengths as one array, the shorter ones filled up with NaN."""
    return pad_sequence(rows, batch_first=True, padding_value=torch.nan)
