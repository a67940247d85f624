"""One scheduled step under way: what it started from, and the batches it has been taken on so far."""

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from clinometer.objective.distributed import ProcessGroup
from clinometer.objective.dtensor import local
from clinometer.objective.objective import Batch, LossFn, Objective
from clinometer.objective.precision import Precision
from clinometer.probes.base import Step
from clinometer.recorder.loss_capture import LossCapture
from clinometer.recorder.optimizer_steps import same

_EXACT, _ROUNDED = 1e-3, 3e-2  # how far the training loss may lie from loss_fn's, and with casts to half precision


class PendingStep:
    """A scheduled step that has begun.

    Args:
        index: The step's index.
        model, loss_fn, batch, precision: As for `Objective`.
        optimizers: Whose parameters are moved; all of the model's without one.
        ranks: The processes that take the step; what one decides here, all decide.
    """

    def __init__(
        self,
        index: int,
        model: nn.Module,
        loss_fn: LossFn,
        batch: Batch,
        optimizers: Sequence[Optimizer],
        precision: Precision,
        ranks: ProcessGroup,
    ) -> None:
        self.index = index
        self.lr = float(optimizers[0].param_groups[0]["lr"]) if optimizers else None
        self.ranks = ranks
        held = held_by(optimizers)
        self.objective = Objective(model, loss_fn, batch, parameters=held, precision=precision, ranks=ranks)
        self.before = self.objective.here()
        self._origin = self.before  # where the first backward pass on the last batch was
        self._fresh = True  # it has not been yet
        self.witness = LossCapture(self.objective.graph_leaves, self._looks_around)
        self.witness.watch()
        self.seen: float | None = None  # the loss that training minimised, once the step has been taken

    def also(self, batch: Batch) -> None:
        """Another batch of the same step."""
        self.objective = self.objective.with_batch(batch)
        self._fresh = True

    def waits_for_more(self) -> bool:
        """Whether gradients are held for a step to come; a scaler that skips a step leaves none, or infinite ones."""
        held = self.objective.training_gradients()
        held = [(gradient._values() if gradient.is_sparse else gradient).float() for gradient in held]
        sizes = [float(torch.linalg.vector_norm(gradient)) for gradient in held]
        # On one process alone all may be zero, or one infinite: in pieces, or before gradients are averaged.
        largest = max(self.ranks.numbers(max(sizes, default=0.0) if all(map(math.isfinite, sizes)) else math.inf))
        return 0 < largest < math.inf

    def has_moved(self) -> bool:
        """Whether any parameter is elsewhere than where training first looked."""
        return not all(same(local(p.detach()), local(self._origin[name])) for name, p in self.objective.live.items())

    def _looks_around(self) -> bool:
        """Whether a backward pass is one of those that a SAM or LBFGS makes from elsewhere."""
        if not self._fresh:
            return self.has_moved()
        self._fresh = False
        if self.has_moved():  # by the forward pass, which may hold its weights within bounds
            self._origin = self.objective.here()
        return False

    def check_model(self) -> None:
        """ValueError if another model was trained meanwhile."""
        if self.witness.foreign and self.witness.loss is None:
            raise ValueError(
                "the step that was recorded trained another model than the recorder's: its backward pass reached none "
                "of the recorder's parameters. Make one Recorder per model, each around its own model's step."
            )

    def step(self, usual: int) -> Step:
        """The step, now that it has been taken; `usual` is how many batches a step has at most."""
        self.check_model()
        mean = self.ranks.mean(math.nan if self.witness.loss is None else self.witness.loss)
        seen = self.seen = None if math.isnan(mean) else mean
        batches = self.objective.batches
        if seen is not None and max(batches, usual) > 1:
            # The loop may add its batches' losses up, or divide each by their number, or, in the last and smaller
            # group of an epoch, by the usual number: gradients tell no other way.
            mean = float(self.objective.loss(self.before))
            weights = [1.0, float(batches), batches / usual]
            self.objective = self.objective.weighted(min(weights, key=lambda weight: abs(seen - weight * mean)))
        return Step(self.index, self.objective, self.before, self.objective.here(), self.lr)

    def doubt(self, step: Step, largest: float) -> str | None:
        """What to say if training minimised something else than `loss_fn`; looked at where its value is known.

        Casts round by a share of what went into the loss, not of what is left of it once the network fits: they are
        held against the `largest` loss so far.
        """
        seen = self.seen
        if seen is None or "start" not in vars(step):
            return None
        ours = float(step.loss)
        gap = abs(ours - seen)
        if not gap > (
            _ROUNDED * max(largest, abs(seen)) if self.witness.rounded else _EXACT * max(abs(ours), abs(seen))
        ):
            return None  # also where either is infinite or NaN
        times = f", {ours / seen:.4g} times as much" if seen else ""
        draws = (
            " If it draws random numbers: torch._inductor.config.fallback_random = True lets compiled code draw alike."
        )
        return (
            f"loss_fn gives {ours:.6g} at step {self.index}, where training called .backward() on {seen:.6g}: off by "
            f"{gap:.3g}{times}. What is measured is not what is trained. Let loss_fn return that very loss, call "
            "recorder.step(batch) before the forward pass, and give it the batch as the model gets it."
            + (draws if self.witness.compiled else "")
        )


def held_by(optimizers: Sequence[Optimizer]) -> list[Tensor] | None:
    """The parameters that these optimizers move; None, for all, without one."""
    held = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
    return held if optimizers else None


def warn(message: str) -> None:
    """Say something once that does not stop the run."""
    warnings.warn(f"clinometer: {message}", stacklevel=3)
