"""Hessian-vector products as differences of gradients, with their error, where gradients have no graph."""

import math
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from clinometer.objective.params import Point, check_direction, norm, scale, step, sub

_WORST = 0.1  # relative error of a product beyond which it is no number
_WHAT = "products are differences of gradients, as those of fully_shard cannot be differentiated again"


class GradientDifferences:
    """v ↦ (D(h) + D(2h)) / 2 ≈ ∇²L(at) v with D(h) = (∇L(at + h v) − ∇L(at − h v)) / 2h, and how far that may be off.

    The relative error is ‖D(h) − D(2h)‖ / ‖D(h)‖: from D(h) to D(2h) the share of rounding halves, and that of third
    derivatives quadruples, so the mean is nearer. On a smooth network in float32 it is some 10⁻³; through ReLU and
    max-pooling, whose kinks lie between the points, it may exceed 1. A product with an error above 0.1 is NaN.

    Cost of a product: four forward-backward passes. It has the attributes of `HessianProduct`.

    Args:
        loss_and_grad: The loss and its gradient at a point.
        at: The point.

    Example:
        >>> def cubic(at):
        ...     return (at["w"] ** 3).sum(), {"w": 3 * at["w"] ** 2}
        >>> product = GradientDifferences(cubic, {"w": torch.tensor([1.0, 2.0])})
        >>> product({"w": torch.tensor([1.0, 0.0])})["w"].round(decimals=2), product.error < 0.01
        (tensor([6., 0.]), True)
    """

    retained = False

    def __init__(self, loss_and_grad: Callable[[Point], tuple[Tensor, dict[str, Tensor]]], at: Point) -> None:
        self.error = math.nan  # the largest relative error of a product so far
        self._loss_and_grad, self._at = loss_and_grad, at

    @property
    def loss(self) -> Tensor:
        """L(at), of shape ()."""
        return self._start[0]

    @property
    def gradient(self) -> dict[str, Tensor]:
        """∇L(at)."""
        return self._start[1]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a product is, in words."""
        if self.error > _WORST:
            return (_WHAT, f"differences over two step sizes disagree by {self.error:.0%}, so there is no product")
        return (_WHAT, f"their relative error is {self.error:.0e}") if self.error >= 0 else (_WHAT,)

    def __call__(self, v: Point) -> dict[str, Tensor]:
        """∇²L(at) v; NaN where it is off by more than a tenth.

        Args:
            v: A direction; names that it lacks count as zero.

        Raises:
            ValueError: for a direction of other names or shapes.
        """
        check_direction(self._at, v)
        length = float(norm(v))
        if length == 0:
            return {name: torch.zeros_like(value) for name, value in self._at.items()}
        rounding = max(torch.finfo(value.dtype).eps for value in self._at.values())
        size = math.sqrt(rounding) * (float(norm(self._at)) or 1.0) / length
        near, far = self._difference(v, size), self._difference(v, 2 * size)
        error = _ratio(float(norm(sub(far, near))), float(norm(near)))
        if not error <= self.error:
            self.error = error
        mean = step(near, sub(far, near), 0.5)
        return mean if error <= _WORST else scale(mean, math.nan)

    def _difference(self, v: Point, size: float) -> dict[str, Tensor]:
        ahead, behind = (self._loss_and_grad(step(self._at, v, sign * size)) for sign in (1, -1))
        return scale(sub(ahead[1], behind[1]), 1 / (2 * size))

    @cached_property
    def _start(self) -> tuple[Tensor, dict[str, Tensor]]:
        return self._loss_and_grad(self._at)


def _ratio(gap: float, length: float) -> float:
    """How far two differences are apart, relative to one of them; 0 where both are zero."""
    if length:
        return gap / length
    return math.inf if gap else 0.0
