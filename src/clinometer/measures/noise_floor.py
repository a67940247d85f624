"""The numerical noise floor: how much loss and gradient change by rounding alone.

A difference, such as the loss's decrease over a small step, means nothing unless it is larger.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.objective.dtensor import from_local, to_local
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, gap_and_cosine, norm, sub


@dataclass(frozen=True)
class Noise:
    """Differences that rounding alone makes."""

    loss: float  # |L(x̃) − L(x)|
    grad_gap: float  # ‖g(x̃) − g(x)‖
    distance: float  # ‖x̃ − x‖, how far x̃ lies from x


def noise_floor(objective: Objective, origin: Point, *, start: tuple[Tensor, Point] | None = None) -> Noise:
    """Loss and gradient at x̃, the same point with each parameter moved to the next number, up or down at random.

        loss = |L(x̃) − L(x)|,   grad_gap = ‖g(x̃) − g(x)‖,   x̃ = x (1 ± ε)

    with ε the machine epsilon of the parameters. Rounding the parameters once more would change as much. A network in
    half precision, or measured in it, has a high noise floor. Cost: one forward-backward pass, two without `start`.

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
    moved = {name: _rounded(value, generator) for name, value in origin.items()}
    there, gradient_there = objective.loss_and_grad(moved)
    gap, _ = gap_and_cosine(gradient_there, gradient)
    return Noise(abs(float(there) - float(loss)), float(gap), float(norm(sub(moved, origin))))


def _rounded(value: Tensor, generator: torch.Generator) -> Tensor:
    shard = to_local(value)
    signs = torch.randint(2, shard.shape, generator=generator).mul_(2).sub_(1)
    return from_local(value, shard * (1 + torch.finfo(value.dtype).eps * signs.to(value.device, value.dtype)))
