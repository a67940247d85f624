"""Whether a step minimised the loss that was measured: its loss and its gradient against those of training."""

import math

from clinometer.probes.base import Step
from clinometer.recorder.pending_step import PendingStep


class Mismatch:
    """Compares steps with what training did, and says what does not fit.

    Casts round by a share of what went into a loss or a gradient, not of what is left of it once the network fits. So
    gaps are compared with the largest so far.

    Args:
        largest_loss: The largest loss that training has minimised so far.
        largest_gradient: The largest norm of a gradient that its optimizer has used so far.
    """

    def __init__(self, largest_loss: float = 0.0, largest_gradient: float = 0.0) -> None:
        self.largest_loss = largest_loss
        self.largest_gradient = largest_gradient

    def warning(self, pending: PendingStep, step: Step) -> str | None:
        """What to warn of, where a probe has evaluated loss and gradient. All ranks must ask."""
        if "start" not in vars(step):
            return None
        loss, gradient = self._of_loss(pending, step), self._of_gradient(pending, step)
        self.largest_loss = max(self.largest_loss, abs(pending.training_loss or 0.0))
        if loss:
            return f"{loss} {gradient}".rstrip()
        if not gradient:
            return None
        if pending.training_loss is None:
            cause = "Training called .backward() on no loss of these parameters: it may use another, or several."
        else:
            cause = (
                "The losses agree: noise was added to it, parts of it were changed (clipped one by one, masked), or an "
                "earlier gradient was left in it."
            )
        return f"{gradient} {cause} Rows along the gradient speak of loss_fn's own; those along the update of the step."

    def _of_loss(self, pending: PendingStep, step: Step) -> str:
        theirs, ours = pending.training_loss, float(step.loss)
        if theirs is None:
            return ""
        gap, cast = abs(ours - theirs), pending.capture.cast
        allowed = pending.rounding * (max(self.largest_loss, abs(theirs)) if cast else max(abs(ours), abs(theirs)))
        if not gap > allowed or self._rescaled(pending, step, allowed):
            return ""  # also where either is infinite or NaN
        times = f", {ours / theirs:.4g} times as much" if theirs else ""
        draws = (
            " If it draws random numbers: torch._inductor.config.fallback_random = True lets compiled code draw alike."
        )
        return (
            f"loss_fn gives {ours:.6g} at step {step.index}, where training called .backward() on {theirs:.6g}: off by "
            f"{gap:.3g}{times}. What is measured is not what is trained. Let loss_fn return that very loss, call "
            "recorder.step(batch) before the forward pass, and give it the batch as the model gets it."
            + (draws if pending.capture.compiled else "")
        )

    def _rescaled(self, pending: PendingStep, step: Step, allowed: float) -> bool:
        """Whether the gradient is ours though the loss is not: the loop divided it after its backward passes.

        By the number of batches, or, where the loss was scaled against underflow, by a power of two.
        """
        theirs, ours, batches = pending.training_loss or 0.0, float(step.loss), step.objective.batches
        found = step.agreement
        if found is None or not found.proportional(step.rounding) or step.factor != 1:
            return False
        power = 2.0 ** round(math.log2(theirs / ours)) if 0 < theirs * ours < math.inf else math.nan
        return any(abs(theirs - times * ours) <= allowed for times in (batches, 1 / batches, power))

    def _of_gradient(self, pending: PendingStep, step: Step) -> str:
        found = step.agreement
        if found is None or step.used is None:
            return ""
        length = step.used.length
        self.largest_gradient = max(self.largest_gradient, length)
        if found.proportional(step.rounding) or length <= pending.rounding * self.largest_gradient:
            return ""
        return (
            f"The gradient that the optimizer used at step {step.index} is not that of loss_fn: their cosine is "
            f"{found.cosine:.4g}, where proportional gradients have 1."
        )
