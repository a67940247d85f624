"""One scheduled step that is under way: its starting point, and the batches that it has used so far."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer.objective.distributed import Ranks
from clinometer.objective.dtensor import to_local
from clinometer.objective.objective import Batch, LossFn, Objective
from clinometer.objective.precision import Precision
from clinometer.probes.base import Step
from clinometer.recorder.loss_capture import LossCapture
from clinometer.recorder.optimizer_steps import parameters_of

_EXACT, _CAST = 1e-3, 3e-2  # by how much the training loss may differ from loss_fn's, and with casts to half precision


class PendingStep:
    """A scheduled step that has begun and has not been measured.

    Args:
        index: The step's index.
        probes: The names of the probes that are due.
        model, loss_fn, batch, precision: As for `Objective`.
        optimizers: Their parameters make up a point; all of the model's without an optimizer.
        ranks: The processes that take the step; each decision here is one of all of them.
    """

    def __init__(
        self,
        index: int,
        probes: Sequence[str],
        model: nn.Module,
        loss_fn: LossFn,
        batch: Batch,
        optimizers: Sequence[Optimizer],
        precision: Precision,
        ranks: Ranks,
    ) -> None:
        self.index = index
        self.probes = probes
        self.lr = float(optimizers[0].param_groups[0]["lr"]) if optimizers else None
        self.ranks = ranks
        self.objective = Objective(
            model, loss_fn, batch, parameters=parameters_of(optimizers), precision=precision, ranks=ranks
        )
        self.before = self.objective.here()
        self._origin = self.before  # the parameters at the first backward pass on the last batch
        self._before_backward = True  # that pass has not come yet
        self.capture = LossCapture(self.objective.graph_leaves, self._is_elsewhere)
        self.capture.start()
        self.training_loss: float | None = None  # the loss that training minimised, once the step has been taken

    def add(self, batch: Batch) -> None:
        """Another batch of the same step."""
        self.objective = self.objective.with_batch(batch)
        self._before_backward = True

    def holds_gradients(self) -> bool:
        """Whether there are gradients for a step to come; a scaler that skips a step leaves none, or infinite ones."""
        gradients = self.objective.training_gradients()
        dense = [(gradient._values() if gradient.is_sparse else gradient).float() for gradient in gradients]
        norms = [float(torch.linalg.vector_norm(gradient)) for gradient in dense]
        # On one process alone all may be zero, or one infinite: in pieces, or before gradients are averaged.
        largest = max(self.ranks.all_gather(max(norms, default=0.0) if all(map(math.isfinite, norms)) else math.inf))
        return 0 < largest < math.inf

    def has_moved(self) -> bool:
        """Whether any parameter differs from its value at the first backward pass, on any process."""
        return any(self.ranks.all_gather(self._has_moved_here()))

    def check_model(self) -> None:
        """ValueError if another model was trained meanwhile."""
        if self.capture.foreign and self.capture.loss is None:
            raise ValueError(
                "the step that was recorded trained another model than the recorder's: its backward pass reached none "
                "of the recorder's parameters. Make one Recorder per model, each around its own model's step."
            )

    def step(self, most_batches: int) -> Step:
        """The step, now that it has been taken; `most_batches` is how many batches a step of this run has at most."""
        self.check_model()
        captured = self.ranks.mean(math.nan if self.capture.loss is None else self.capture.loss)
        self.training_loss = None if math.isnan(captured) else captured
        batches = self.objective.batches
        if self.training_loss is not None and max(batches, most_batches) > 1:
            # The loop may add up its batches' losses, or divide each by their number, or, in the smaller last group of
            # an epoch, by the usual number. The scale cannot be read from the gradients.
            mean = float(self.objective.loss(self.before))
            weights = [1.0, float(batches), batches / most_batches]
            self.objective = self.objective.weighted(min(weights, key=lambda weight: abs(captured - weight * mean)))
        return Step(self.index, self.objective, self.before, self.objective.here(), self.lr)

    def mismatch_warning(self, step: Step, largest: float) -> str | None:
        """What to warn of if training minimised another loss than `loss_fn`, where a probe has evaluated that.

        Casts round by a share of what went into the loss, not of what is left of it once the network fits: then the gap
        is compared with the `largest` loss so far.
        """
        theirs = self.training_loss
        if theirs is None or "start" not in vars(step):
            return None
        ours = float(step.loss)
        gap = abs(ours - theirs)
        cast = self.capture.cast
        allowed = _CAST * max(largest, abs(theirs)) if cast else _EXACT * max(abs(ours), abs(theirs))
        if not gap > allowed:
            return None  # also where either is infinite or NaN
        times = f", {ours / theirs:.4g} times as much" if theirs else ""
        draws = (
            " If it draws random numbers: torch._inductor.config.fallback_random = True lets compiled code draw alike."
        )
        return (
            f"loss_fn gives {ours:.6g} at step {self.index}, where training called .backward() on {theirs:.6g}: off by "
            f"{gap:.3g}{times}. What is measured is not what is trained. Let loss_fn return that very loss, call "
            "recorder.step(batch) before the forward pass, and give it the batch as the model gets it."
            + (draws if self.capture.compiled else "")
        )

    def _is_elsewhere(self) -> bool:
        """Whether a backward pass that comes now is one of those that SAM or LBFGS makes away from the origin."""
        if not self._before_backward:
            return self._has_moved_here()
        self._before_backward = False
        if self._has_moved_here():  # by the forward pass, which may hold its weights within bounds
            self._origin = self.objective.here()
        return False

    def _has_moved_here(self) -> bool:
        live = self.objective.live.items()
        return not all(_same(to_local(p.detach()), to_local(self._origin[name])) for name, p in live)


def _same(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors hold the same values, where NaN equals NaN: a run that has diverged stands still."""
    return torch.equal(first, second) or torch.allclose(first, second, rtol=0.0, atol=0.0, equal_nan=True)
