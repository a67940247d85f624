"""Notices training that goes on while the parameters that are measured stay where they are.

Functional training keeps its parameters outside the model, and a loop may train a copy: then every row would be of the
untrained model. Not every standstill is a mistake: a warm-up may begin at learning rate 0, gradients may accumulate.
"""

import math

import torch
from torch import Tensor

from clinometer.objective.dtensor import to_local
from clinometer.objective.params import Point
from clinometer.objective.params_module import ParamsModule
from clinometer.probes.base import Step
from clinometer.recorder.pending_step import PendingStep

_ALIKE = 1e-2  # by how much the norm of the gradients held may differ from that of this batch's own


class Standstill:
    """Compares the places of measured steps.

    Two steps at one place are one too many where no backward pass reached the parameters. Where one did, there may be a
    reason to stay, such as LBFGS at a minimum: then it takes three, with three losses, so on other data.
    """

    def __init__(self) -> None:
        self._place: list[float] = []
        self._steps: dict[float, int] = {}  # those there, by loss where only other losses count

    def message(self, pending: PendingStep, step: Step) -> str | None:
        """What to warn of after a step that has been measured, if it is one too many at its place."""
        if "start" not in vars(step) or step.lr == 0 or _accumulates(pending, step):
            return None
        place = _place(step.before)
        if place != self._place:
            self._place, self._steps = place, {}
        unreached = pending.capture.loss is None
        self._steps.setdefault(step.index if unreached else float(step.loss), step.index)
        if len(self._steps) < (2 if unreached else 3):
            return None
        first, last = min(self._steps.values()), step.index
        cure = (
            "Training that makes new tensors needs a function that returns them: params=lambda: params."
            if isinstance(step.objective.model, ParamsModule)
            else "If training keeps its parameters outside the model, as torch.func does, pass those instead of the "
            "model: Recorder(params=lambda: params, loss_fn=lambda params, batch: ...)."
        )
        return (
            f"the parameters were the same at step {first} and at step {last}: what is measured does not train. {cure}"
        )


def _place(point: Point) -> list[float]:
    """The sum and the norm of each tensor. NaN equals nothing, so that a diverged run never stands still."""
    parts = [to_local(value).detach() for value in point.values()]
    return [float(part) for value in parts for part in (_real(value).sum(), torch.linalg.vector_norm(value))]


def _real(value: Tensor) -> Tensor:
    return (torch.view_as_real(value) if value.is_complex() else value).double()


def _accumulates(pending: PendingStep, step: Step) -> bool:
    """Whether gradients are held that are more than this step's own."""
    held = [part.to_dense() for part in pending.objective.training_gradients()]
    own = [to_local(part) for part in step.gradient.values()]
    theirs, ours = (math.hypot(*(float(torch.linalg.vector_norm(part)) for part in parts)) for parts in (held, own))
    return theirs > 0 and not abs(theirs - ours) <= _ALIKE * ours
