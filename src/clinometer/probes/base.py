"""What a probe is: a function from one recorded step to a row of named arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
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


# A probe may carry `check(model, optimizer)`, which raises where it could not work and is called at once, and `cost`,
# in forward-backward passes beside the one at the start that the step's probes share.
Probe = Callable[[Step], Row]


def cost_of(probe: Probe) -> float:
    """What a probe declares; one pass where it says nothing."""
    return float(getattr(probe, "cost", 1.0))
