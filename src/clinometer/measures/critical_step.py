"""The critical step: how many times as long a step may be before the loss rises, by forward passes alone.

It tells whether a run is unstable or could go faster: 0.8 means that this step was already too long, 30 that it could
have been thirty times as long.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.measures.first_crossing import check_search, first_crossing
from clinometer.objective.computed import along
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction, dot, norm
from clinometer.readable.results import readable

_ROUNDINGS = 4  # a loss is the sum of many terms, and its last digits differ by more than one rounding
_UNSURE = 1e-6  # an inner product that is so small a part of ‖g‖ ‖d‖ may have either sign: its terms are rounded


@readable
@dataclass(frozen=True)
class CriticalStep:
    """The largest multiple of a step up to which the loss stays below its start, and what is certain of it."""

    multiple: float  # a_c, between the two of the bracket
    bracket: tuple[float, float]  # the largest multiple at which the loss was lower, the next at which it was not
    slope: float  # ⟨g, d⟩, in units of the loss: its change by the step to first order; NaN where g is not known
    evaluations: int  # forward passes spent

    def sharpness(self, lr: float) -> float:
        """The critical sharpness λ_c = 2/(η a_c), of a step d = −η u taken at learning rate η; see `critical_step`.

        Example:
            >>> CriticalStep(multiple=5.0, bracket=(4.8, 5.2), slope=-1.6, evaluations=3).sharpness(0.1)
            4.0
        """
        critical = self.learning_rate(lr)
        return 2 / critical if critical else math.inf

    def learning_rate(self, lr: float) -> float:
        """The critical learning rate η_c = η a_c: from there on this step would not have lowered the loss.

        NaN, as is the sharpness, where the step goes uphill: then its direction is at fault, and no curvature.
        """
        return lr * self.multiple if lr > 0 and not self.slope > 0 else math.nan


def critical_step(
    objective: Objective,
    origin: Point,
    direction: Point,
    *,
    start: float = 1.0,
    precision: float = 0.1,
    loss: Tensor | None = None,
    gradient: Point | None = None,
) -> CriticalStep:
    """The largest multiple of the step d up to which the loss stays below L(x), to a relative precision.

        a_c = sup {a : L(x + a d) < L(x)},  of the first stretch from 0,        λ_c = 2/(η a_c),   d = −η u

    For gradient descent (u = g) λ_c is a curvature, and on a quadratic loss gᵀHg/‖g‖². For other optimizers it is the
    curvature in the direction u that makes their learning rate critical: the loss rises once η > 2/λ_c.

    The search starts at the multiple `start` and interpolates L(x + a d) − L(x) as a parabola within a bracket. An
    earlier rise is missed only if it lies wholly between two neighbouring multiples that were tried, 0 among them; of
    these the larger is at most twice the smaller, or the loss at it is lower. Differences of up to four roundings of
    the loss in its own precision decide nothing: the search then goes on to larger multiples. A loss that was computed
    in a lower precision than it is returned in is noisier than that: see `noise_floor`.

    Cost: in forward passes, 3 on a parabola and 4 to 7 in most networks, 2 to 4 with a `start` within 10%; about one
    more without `gradient`, and one more without `loss`. No backward pass. Memory: one copy of the parameters.

    Args:
        objective: The frozen loss.
        origin: Where the step starts, x.
        direction: The step, d; names that it lacks do not move.
        start: The multiple to begin at, such as the last step's a_c.
        precision: The relative width of the bracket that is left.
        loss: The loss at `origin`, if known already.
        gradient: The gradient at `origin`, if known already. If ⟨g, d⟩ > 0 nothing is evaluated: a_c is 0.

    Returns:
        `CriticalStep`: infinite where a multiple of 4096 is still good, 0 where one of 1/4096 is not, NaN if d has no
        length, the loss at the start is not finite, or no change of the loss is larger than its rounding.

    Raises:
        ValueError: if `precision` does not lie in (0, 1), `start` is not positive, or `direction` does not fit.
    Source: Kalra et al. (2026), arXiv:2601.16979, "critical sharpness".

    Example:
        >>> from torch import nn                                        # L(w) = 2 w² at w = 1, with curvature 4
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: 2 * m.weight.square().sum(), None)
        >>> x, d = {"weight": torch.tensor([[1.0]])}, {"weight": torch.tensor([[-0.4]])}     # a step of lr 0.1
        >>> found = critical_step(objective, x, d)
        >>> f"{found.multiple:.2f} {found.sharpness(lr=0.1):.2f}"       # 2/(0.1 · 4), and the curvature
        '5.00 4.00'
    """
    check_search(start, precision)
    check_direction(origin, direction)
    there = objective.loss(origin) if loss is None else loss
    slope = math.nan if gradient is None else _slope(gradient, direction)
    spent = 1 if loss is None else 0
    if not float(norm(direction)) > 0 or not math.isfinite(float(there)):
        return CriticalStep(math.nan, (math.nan, math.nan), slope, spent)
    if slope > 0:
        return CriticalStep(0.0, (0.0, 0.0), slope, spent)
    with objective.isolated():
        found = first_crossing(
            lambda size: float(objective.loss(along(origin, direction, size))) - float(there),
            slope if slope < 0 else None,
            start=start,
            precision=precision,
            rounding=rounding_of(there),
        )
    return CriticalStep(found.size, found.bracket, slope, found.evaluations + spent)


def rounding_of(loss: Tensor) -> float:
    """Up to which difference two losses as large as this one may be equal but for their rounding.

    Example:
        >>> f"{rounding_of(torch.tensor(2.0)):.1e}"                     # 4 · 2 · 1.2e-7
        '9.5e-07'
    """
    return _ROUNDINGS * torch.finfo(loss.dtype).eps * abs(float(loss))


def _slope(gradient: Point, direction: Point) -> float:
    """⟨g, d⟩; 0 where it is too small a part of both lengths to have a sign."""
    moved = {name: gradient[name] for name in direction}
    slope = float(dot(moved, direction))
    return 0.0 if abs(slope) <= _UNSURE * float(norm(moved)) * float(norm(direction)) else slope
