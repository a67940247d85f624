"""The first step of training, before it is taken: where it goes, and how long it may be."""

import math
from dataclasses import dataclass
from typing import Any

from clinometer.learning_rate.cannot_tell import CannotTellError
from clinometer.learning_rate.trials import FORWARD, Trials
from clinometer.measures.critical_step import critical_step
from clinometer.measures.eigenpairs import top_eigenpairs
from clinometer.measures.line import effective_smoothness, walk
from clinometer.objective.params import norm, scale
from clinometer.probes.base import Step
from clinometer.probes.stability import stability_of

_SHORT = 0.01  # of the parameters' length: where the search for the critical step begins
_PRODUCTS = 4  # of a Hessian and a vector


@dataclass(frozen=True)
class FirstStep:
    """Where training stands, its first step at a rate of 1, and how much shorter it must be."""

    step: Step
    critical_rate: float  # from there on the step does not lower the first batch's loss

    @property
    def optimizer(self) -> Any:
        """A copy of the user's, which has taken the step."""
        return self.step.optimizers[0]

    def predictors(self, trials: Trials) -> dict[str, float]:
        """The largest stable rate by the curvature λ and the smoothness β at the start. Cost: 11 passes.

        The first is the rate at which λ is the optimizer's threshold (`stability_of`): 2/λ for gradient descent; for
        Adam's kin λ is that of P⁻¹H. The second is 2/β, along the gradient, whatever the optimizer.
        """
        step, stability = self.step, stability_of(self.step)
        metric = stability.preconditioner
        found = top_eigenpairs(step.objective, step.before, max_products=_PRODUCTS, preconditioner=metric)
        down = scale(step.gradient, -1.0)
        size = _SHORT * (float(norm(step.before)) or 1.0) / float(norm(step.gradient))
        smoothness = effective_smoothness(walk(step.objective, step.before, down, [size], start=step.start))
        trials.passes += 2.5 + 1.7 * found.products
        curvature = float(found.values[0])
        return {
            "curvature": stability.threshold / curvature if curvature > 0 else math.nan,
            "smoothness": 2 / smoothness if smoothness > 0 else math.nan,
        }


def first_step(trials: Trials) -> FirstStep:
    """Take one step in a trial, and look how far it may go. Cost: two forward-backward passes, and a few forward ones.

    Raises:
        CannotTellError: if the optimizer has no rate to choose, the loss or its gradient is not finite, or the step
            moves nothing.
    """
    with trials.run() as trial:
        reason = trials.optimizer.reason_against(trial.optimizer)
        if reason:
            raise CannotTellError(reason)
        before, objective = trial.here(), trial.objective(0)
        trial.step(1.0)
        rates = trials.optimizer.rates(trial.optimizer, trial.leaves)
        lr = 1.0 if set(rates.values()) == {1.0} else math.nan
        step = Step(0, objective, before, trial.here(), lr, rates, (trial.optimizer,))
    loss, length = float(step.loss), float(norm(step.gradient))
    trials.passes += 1
    if not math.isfinite(loss):
        raise CannotTellError(f"the loss at the start is {loss}")
    if not math.isfinite(length):
        raise CannotTellError("the gradient at the start is not finite")
    if length == 0:
        raise CannotTellError("the gradient at the start is 0: the model cannot take a step")
    return FirstStep(step, _critical_rate(step, trials))


def _critical_rate(step: Step, trials: Trials) -> float:
    """The critical rate of the step; where there is none, the rate that moves the parameters by 1% of their length."""
    length = float(norm(step.update))
    if not 0 < length < math.inf:
        raise CannotTellError(f"the first step, at a rate of 1, has length {length}: the model cannot take a step")
    unit = _SHORT * (float(norm(step.before)) or length) / length
    along = scale(step.update, unit)
    found = critical_step(step.objective, step.before, along, precision=0.3, loss=step.loss, gradient=step.gradient)
    trials.passes += FORWARD * found.evaluations
    return unit * found.multiple if 0 < found.multiple < math.inf else unit
