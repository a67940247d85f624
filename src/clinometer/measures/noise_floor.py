"""The numerical noise floor: how much loss and gradient change by rounding alone.

A difference, such as the loss's decrease over a small step, means nothing unless it is larger.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.objective.dtensor import from_local, to_local
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, distance, gap_and_cosine
from clinometer.readable.results import readable

_DRAWS = 4  # the loss of one may be unchanged by chance; the relative error of their root mean square is about a third


@readable
@dataclass(frozen=True)
class Noise:
    """Differences that rounding alone makes."""

    loss: float  # the root mean square of L(x̃) − L(x)
    grad_gap: float  # ‖g(x̃) − g(x)‖
    distance: float  # ‖x̃ − x‖, how far x̃ lies from x


def noise_floor(objective: Objective, origin: Point, *, start: tuple[Tensor, Point] | None = None) -> Noise:
    """Loss and gradient at x̃, the same point with each parameter moved to the next number, up or down at random.

        loss = √(mean of (L(x̃) − L(x))²),   grad_gap = ‖g(x̃) − g(x)‖,   x̃ = x (1 ± ε)

    with ε the machine epsilon of the parameters. Rounding the parameters once more would change as much. The loss is
    that of four draws of x̃, and at least half the distance from L(x) to the next number of its precision; the other
    two are those of the first draw. A network in half precision, or measured in it, has a high noise floor. Cost: one
    forward-backward pass and three forward passes, which are about one more; one more without `start`.

    Args:
        objective: The frozen loss.
        origin: The point x.
        start: Loss and gradient at `origin`, if known already.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: m.weight.square().sum(), None)
        >>> noise = noise_floor(objective, {"weight": torch.tensor([[1.0]])})       # 2 ε, with ε = 1.2e-7
        >>> f"{noise.loss:.1e}"
        '2.4e-07'
    """
    loss, gradient = start or objective.loss_and_grad(origin)
    generator = torch.Generator().manual_seed(0)
    with objective.isolated():
        moved = _rounded(origin, generator)
        there, gradient_there = objective.loss_and_grad(moved)
        gap, _ = gap_and_cosine(gradient_there, gradient)
        far = float(distance(moved, origin))
        del moved, gradient_there
        losses = [there, *(objective.loss(_rounded(origin, generator)) for _ in range(_DRAWS - 1))]
    changes = [float(each) - float(loss) for each in losses]
    change = math.hypot(*changes) / math.sqrt(_DRAWS)
    return Noise(change if math.isnan(change) else max(change, _half_unit(loss)), float(gap), far)


def _rounded(point: Point, generator: torch.Generator) -> dict[str, Tensor]:
    return {name: _next_number(value, generator) for name, value in point.items()}


def _next_number(value: Tensor, generator: torch.Generator) -> Tensor:
    shard = to_local(value)
    signs = torch.randint(2, shard.shape, generator=generator).mul_(2).sub_(1)
    return from_local(value, shard * (1 + torch.finfo(value.dtype).eps * signs.to(value.device, value.dtype)))


def _half_unit(loss: Tensor) -> float:
    """Half a unit in the last place of a loss, in its own precision."""
    precision = torch.finfo(loss.dtype)
    size = max(abs(float(loss)), precision.smallest_normal)
    return math.ldexp(precision.eps, math.frexp(size)[1] - 2) if math.isfinite(size) else math.nan
