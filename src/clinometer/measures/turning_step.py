"""The turning step: how many times as long a step may be before the gradient turns away from where it pointed."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor

from clinometer.measures.first_crossing import check_search, first_crossing
from clinometer.objective.computed import along
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction, dot, norm
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class TurningStep:
    """The largest multiple of a step up to which the gradient stays within 90° of the one at the start."""

    multiple: float  # between the two of the bracket
    bracket: tuple[float, float]  # the largest multiple at which it was seen within 90°, the next at which it was not
    evaluations: int  # forward-backward passes spent


def turning_step(
    objective: Objective,
    origin: Point,
    direction: Point,
    *,
    start: float = 1.0,
    precision: float = 0.1,
    only: Collection[str] | None = None,
    known: tuple[Tensor, Point] | None = None,
) -> TurningStep:
    """How far along the step d the gradient stays within 90° of g(x).

        sup {a : ⟨g(x + a d), g(x)⟩ > 0},   of the first stretch from 0

    as `first_crossing` sees it in −a ⟨g(x + a d), g(x)⟩. On a quadratic with curvature λ along d = −η g it is 1/(ηλ):
    the step ends at the bottom of its valley. Cost: 4 to 8 forward-backward passes in most networks, and one more
    without `known`. Memory: as `walk`.

    Args:
        objective: The frozen loss.
        origin: Where the step starts, x.
        direction: The step, d; names that it lacks do not move.
        start: The multiple to begin at.
        precision: The relative width of the bracket that is left.
        only: The parameters whose gradient counts, such as one layer's; all by default.
        known: Loss and gradient at `origin`, if known already.

    Returns:
        `TurningStep`: infinite where a multiple of 4096 is still good, 0 where one of 1/4096 is not, NaN if d or the
        gradient has no length, or the loss at the start is not finite.

    Raises:
        ValueError: if `precision` does not lie in (0, 1), `start` is not positive, or `direction` does not fit.

    Example:
        >>> import torch                                                # L(w) = 2 w² at w = 1, with curvature 4
        >>> from torch import nn
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: 2 * m.weight.square().sum(), None)
        >>> x, d = {"weight": torch.tensor([[1.0]])}, {"weight": torch.tensor([[-0.4]])}     # a step of lr 0.1
        >>> f"{turning_step(objective, x, d).multiple:.2f}"             # 1/(0.1 · 4)
        '2.50'
    """
    check_search(start, precision)
    check_direction(origin, direction)
    loss, gradient = known or objective.loss_and_grad(origin)
    gradient = gradient if only is None else {name: gradient[name] for name in only}
    length = float(norm(gradient))
    spent = 0 if known else 1
    if not float(norm(direction)) > 0 or not math.isfinite(float(loss)) or not 0 < length < math.inf:
        return TurningStep(math.nan, (math.nan, math.nan), spent)

    def change(size: float) -> float:
        return -size * float(dot(objective.loss_and_grad(along(origin, direction, size), only)[1], gradient))

    with objective.isolated():
        found = first_crossing(change, -(length**2), start=start, precision=precision)
    return TurningStep(found.size, found.bracket, found.evaluations + spent)
