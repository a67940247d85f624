"""One scheduled step that is under way: its starting point, and the batches that it has used so far."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.computed import Present, difference
from clinometer.objective.dtensor import is_dtensor, to_local
from clinometer.objective.lengths import are_equal
from clinometer.objective.objective import Batch, Objective
from clinometer.objective.params import Point
from clinometer.probes.base import Step
from clinometer.probes.used_gradient import UsedGradient
from clinometer.recorder.loss_capture import LossCapture
from clinometer.recorder.optimizer_reading import LearningRate, OptimizerReading
from clinometer.recorder.trained_loss import Candidate, Evidence, trained_loss

_EXACT, _CAST = 1e-3, 3e-2  # by how much training's loss may differ from loss_fn's, and with casts to half precision
_SEVERAL = 4  # batches that a loop may skip one after the other


class PendingStep:
    """A scheduled step that has begun and has not been measured.

    Args:
        index: The step's index.
        probes: The names of the probes that are due.
        objective: The loss on its first batch, made as the step begins.
        weight: The batch's weight in the sum of losses, where the loop gave one.
        optimizers: Those that will take the step.
        lr: The learning rate, where their settings do not have it.
        evaluates: Whether any of the probes asks for a loss, a gradient or a batch; else gradients are not kept either.
        before: A copy of the parameters of now, if there is one.
    """

    def __init__(
        self,
        index: int,
        probes: Sequence[str],
        objective: Objective,
        weight: float | None,
        optimizers: Sequence[Any],
        lr: LearningRate | None,
        *,
        evaluates: bool,
        before: Point | None = None,
    ) -> None:
        self.index = index
        self.probes = probes
        self.ranks = objective.ranks
        self.objective = objective
        self.before = self.objective.here() if before is None else before
        self.after = Present(objective.live)  # the parameters when it was measured last
        self._step: Step | None = None  # once it has been measured
        self.training_loss: float | None = None  # the loss that training minimised, once the step has been taken
        self._has_lr = bool(optimizers) or lr is not None
        self._weights = [weight]
        self._origin: Point = self.before  # the parameters at the first backward pass on the last batch
        self._before_backward = True  # that pass has not come yet
        self._passes_before_step = 0
        self._evaluates = evaluates
        live = self.objective.live
        # Norms over shards need all processes, which meet when the step is measured.
        self.reading = OptimizerReading(live, lr, keeps_gradients=evaluates or any(map(is_dtensor, live.values())))
        self.reading.start(optimizers)
        self.capture = LossCapture(self.objective.graph_leaves, self._is_elsewhere, self._holds_any_gradient)
        self.capture.start()

    def add(self, batch: Batch, weight: float | None) -> None:
        """Another batch of the same step."""
        self.objective = self.objective.with_batch(batch)
        self._weights.append(weight)
        self.capture.batch = len(self._weights) - 1
        self._before_backward = True

    def remove_last(self) -> bool:
        """The loop skips the last batch; whether any is left."""
        self._weights.pop()
        if not self._weights:
            return False
        self.objective = self.objective.only(range(len(self._weights)))
        self.capture.drop_batch(len(self._weights))
        return True

    def before_optimizer(self, optimizer: Any) -> None:
        """One of the optimizers is about to step."""
        self._passes_before_step = len(self.capture.passes)
        self.capture.looking_around = getattr(optimizer, "looks_around", False)
        self.reading.before_step(optimizer)

    def after_optimizer(self, optimizer: Any, owner: Any) -> None:
        """An optimizer, perhaps a part of another one, its owner, has stepped."""
        self.capture.looking_around = False
        self.reading.after_step(optimizer, owner, len(self.capture.passes) > self._passes_before_step)

    def was_trained(self) -> bool:
        """Whether a backward pass came, on any rank."""
        return any(self.ranks.all_gather(bool(self.capture.passes)))

    def gave_up(self) -> bool:
        """Whether the gradients that its backward passes left are gone, or infinite, as where a scaler skips a step."""
        return any(self.ranks.all_gather(self.capture.left_gradients)) and not self._holds_gradients()

    def stands_still(self) -> bool:
        """Whether several batches have come without a backward pass, and without gradients for a step to come."""
        return self.objective.batches >= _SEVERAL and not self.was_trained() and not self._holds_any_gradient()

    def has_moved(self, since: Point | None = None) -> bool:
        """Whether any parameter differs from its value at a point, or at the first backward pass, on any process."""
        return any(self.ranks.all_gather(self._differs(self._origin if since is None else since)))

    def check_model(self) -> None:
        """ValueError if another model was trained meanwhile; what capturing its backward passes raised, if it did."""
        if self.capture.error:
            raise self.capture.error
        if self.capture.foreign and not self.capture.passes and not self.capture.looked_around:
            raise ValueError(
                "the step that was recorded trained another model than the recorder's: its backward pass reached none "
                "of the recorder's parameters. Make one Recorder per model, each around its own model's step."
            )

    def step(self, most_batches: int) -> Step:
        """The step, now that it has been taken; `most_batches` is how many batches a step of this run has at most."""
        self.check_model()
        live = self.objective.live
        self.after = Present(live)
        # Evaluations move shards themselves; where there are none, nothing else needs the room of a copy meanwhile.
        if not self._evaluates or any(map(is_dtensor, live.values())):
            self.after.keep()
        if self._step:
            return replace(self._step, after=self.after)
        found = self._found(most_batches)
        self._step = replace(found, after={})  # without what it evaluates, and where it ended: that may still change
        return found

    def _found(self, most_batches: int) -> Step:
        """What the step was, as far as it does not depend on what moves the weights after the optimizer."""
        known = not self.capture.looked_around  # else an optimizer looked for the gradient at other parameters
        used = self.reading.gradient() if known else None
        parts = self.reading.lengths() if known else {}
        evidence = Evidence(self.before, self.capture.passes, used, most_batches, self.rounding, self.ranks)
        self.training_loss = None if math.isnan(evidence.captured) else evidence.captured
        if self._evaluates:
            found = trained_loss(self.objective, evidence, self._weights)
        else:
            found = Candidate(self.objective, evidence, range(self.objective.batches))
        rates = self.reading.rates(lambda: difference(self.after, self.before))
        self.reading.release()
        step = Step(
            self.index,
            found.objective,
            self.before,
            self.after,
            _the_rate(rates) if self._has_lr else None,
            rates,
            tuple(self.reading.optimizers),
            UsedGradient(used, parts) if parts else None,
            self.rounding,
            evidence.captured,
        )
        if "start" in vars(found):
            vars(step).update(start=found.start, norms=found.norms)
            if step.used is not None:
                step.used.compare(found.start[1])
        return step

    @property
    def rounding(self) -> float:
        """By which share training's numbers may differ from ours."""
        return _CAST if self.capture.cast else _EXACT

    def _holds_gradients(self) -> bool:
        """Whether there are finite gradients for a step to come."""
        norms = [float(torch.linalg.vector_norm(each)) for each in self._gradients()]
        # On one process alone all may be zero, or one infinite: in pieces, or before gradients are averaged.
        largest = max(self.ranks.all_gather(max(norms, default=0.0) if all(map(math.isfinite, norms)) else math.inf))
        return 0 < largest < math.inf

    def _holds_any_gradient(self) -> bool:
        """Whether any gradient on this process is not zero."""
        return any(bool(each.any()) for each in self._gradients())

    def _gradients(self) -> list[Tensor]:
        gradients = self.objective.training_gradients()
        return [(gradient._values() if gradient.is_sparse else gradient).float() for gradient in gradients]

    def _is_elsewhere(self) -> bool:
        """Whether a backward pass that comes now is one of those that SAM or LBFGS makes away from the origin."""
        if not self._before_backward:
            return self._differs(self._origin)
        self._before_backward = False
        if self._differs(self._origin):  # by the forward pass, which may hold its weights within bounds
            self._origin = self.objective.here()
        return False

    def _differs(self, point: Point) -> bool:
        live = self.objective.live
        present = [to_local(p.detach()) for p in live.values()]
        return not are_equal(present, [to_local(point[name]) for name in live])


def _the_rate(rates: dict[str, float]) -> float:
    """The learning rate, if all parameters have the same; else NaN."""
    sizes = {abs(rate) for rate in rates.values()}
    return sizes.pop() if len(sizes) == 1 else math.nan
