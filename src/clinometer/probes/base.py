"""What a probe is: a function from one recorded step to a row of named arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim import Optimizer

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.probes.field import Field, Fields
from clinometer.store import Row


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
        """Its gradient, before any clipping; with accumulation, that of all batches of the step."""
        return self.start[1]


# A probe may carry `fields`, which declares the fields of its rows by name; `cost`, in forward-backward passes beside
# the one at the start that the step's probes share; and `check(model, optimizer)`, which is called before the first
# step and raises if the probe cannot work.
Probe = Callable[[Step], Row]
Check = Callable[[nn.Module, Optimizer | None], None]


# What several probes declare alike: fields with equal declarations are one quantity, and are shown once.
LAYER = Field(("layer",), meaning="the names of the layers", kind="text", drawing="none")
LOSS = Field(unit="loss", meaning="the training loss of this step, bit for bit", headline=True, label="loss")


def make_probe(name: str, measure: Probe, fields: Fields, cost: float, check: Check | None = None) -> Probe:
    """The function `measure` as a probe: with its name, its declared fields, its cost and its check.

    The cost is in forward-backward passes and leaves out the one at the start of the step, which its probes share.
    """
    vars(measure).update({"fields": fields, "cost": cost} | ({"check": check} if check else {}))
    measure.__name__ = name
    return measure


def cost_of(probe: Probe) -> float:
    """The probe's declared cost in forward-backward passes; one where it declares none."""
    return float(getattr(probe, "cost", 1.0))


def padded(rows: list[Tensor]) -> Tensor:
    """Rows of different lengths as one array, the shorter ones filled up with NaN."""
    return pad_sequence(rows, batch_first=True, padding_value=torch.nan)
