"""Headroom: by which factor a step could be longer before the loss rises, or the gradient turns away.

It tells whether a run is unstable or could go faster: 0.8 means that this step was already too long, 30 that it could
have been thirty times as long.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from torch import Tensor

from clinometer.objective.computed import along
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction, dot, norm

_LARGEST = 2.0**12  # where the search ends: infinite beyond, 0 below its inverse


@dataclass(frozen=True)
class Headroom:
    """The largest multiples of a step up to which the loss stays below its start, and the gradient near its start's."""

    loss: float  # up to this multiple the loss stays below its start
    angle: float  # up to this multiple the gradient stays within 90° of the one at the start
    evaluations: int  # forward-backward passes spent


def headroom(
    objective: Objective,
    origin: Point,
    direction: Point,
    *,
    precision: float = 0.1,
    only: Collection[str] | None = None,
    start: tuple[Tensor, Point] | None = None,
) -> Headroom:
    """How far along `direction` the loss stays below L(x), and the gradient within 90° of g(x).

        loss  = sup {a : L(x + a d) < L(x)},   angle = sup {a : ⟨g(x + a d), g(x)⟩ > 0}

    The supremum is that of the first stretch from 0, as far as doubling sees it: from a = 1 the size is doubled until
    the condition fails, or halved until it holds, and the bracket is then bisected in the logarithm. Both conditions
    share their evaluations. On a quadratic with curvature λ along d = −η g they are 2/(ηλ) and 1/(ηλ).

    Cost: about log₂ of the larger multiple, and log₂(1/precision) for each condition, in forward-backward passes; one
    more without `start`. Memory: as `walk`.

    Args:
        objective: The frozen loss.
        origin: Where the step starts, x.
        direction: The step, d; names that it lacks do not move.
        precision: The relative width of the bracket that is left.
        only: The parameters whose gradient counts, such as one layer's; all by default.
        start: Loss and gradient at `origin`, if known already.

    Returns:
        `Headroom`: infinite where a multiple of 4096 is still good, 0 where one of 1/4096 is not, NaN if d has no
        length, the loss at the start is not finite, or the whole step does not change the loss in its last digit.

    Raises:
        ValueError: if `precision` does not lie in (0, 1), or `direction` does not fit `origin`.

    Example:
        >>> import torch                                                # L(w) = 2 w² at w = 1, with curvature 4
        >>> from torch import nn
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: 2 * m.weight.square().sum(), None)
        >>> x, d = {"weight": torch.tensor([[1.0]])}, {"weight": torch.tensor([[-0.4]])}     # a step of lr 0.1
        >>> found = headroom(objective, x, d)
        >>> f"{found.loss:.1f} {found.angle:.1f}"                       # 2/(0.1 · 4) and 1/(0.1 · 4)
        '4.8 2.4'
    """
    if not 0 < precision < 1:
        raise ValueError(f"`precision` must lie in (0, 1); found {precision}. Pass e.g. 0.1.")
    check_direction(origin, direction)
    loss, gradient = start or objective.loss_and_grad(origin)
    gradient = gradient if only is None else {name: gradient[name] for name in only}
    if not float(norm(direction)) > 0 or not math.isfinite(float(loss)):
        return Headroom(math.nan, math.nan, 0 if start else 1)
    evaluated: dict[float, tuple[float, bool]] = {}  # size -> loss, and whether the gradient is within 90°

    def at(size: float) -> tuple[float, bool]:
        if size not in evaluated:
            reached, turned = objective.loss_and_grad(along(origin, direction, size), only)
            evaluated[size] = float(reached), bool(dot(turned, gradient) > 0)
        return evaluated[size]

    with objective.isolated():
        # A loss that does not change at all, in its last digit, is too coarse to say whether it falls. The end of a
        # step may be as high as its start, as on a parabola; its middle then is not.
        visible = at(1.0)[0] != float(loss) or at(0.5)[0] != float(loss)
        falls = _first_failure(lambda size: at(size)[0] < float(loss), precision) if visible else math.nan
        points = _first_failure(lambda size: at(size)[1], precision)
    return Headroom(falls, points, len(evaluated) + (0 if start else 1))


def _first_failure(good: Callable[[float], bool], precision: float) -> float:
    """The largest size that was seen to be good, below the first that doubling, or halving, sees to fail."""
    low = high = 1.0
    if good(1.0):
        while good(high := 2 * low):
            low = high
            if low >= _LARGEST:
                return math.inf
    else:
        while not good(low := high / 2):
            high = low
            if high <= 1 / _LARGEST:
                return 0.0
    while high / low > 1 + precision:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if good(middle) else (low, middle)
    return low
