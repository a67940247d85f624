"""The landscape along a line: the three quantities of Santurkar et al. (2018), Figure 4.

`walk` evaluates loss and gradient at a few steps from a point; what it returns holds scalars only, and the
other functions here read the paper's quantities from it.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.objective.computed import Computed, along, difference
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction, distance, gap_and_cosine, norm
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class Line:
    """Loss and gradient along x + a d. Infinite and NaN values are kept: divergence is data."""

    sizes: Tensor  # (s,) step sizes a
    distances: Tensor  # (s,) ‖x_a − x‖, where x_a is x + a d as it is rounded
    losses: Tensor  # (s,) L(x + a d)
    grad_gaps: Tensor  # (s,) ‖g(x + a d) − g(x)‖
    cosines: Tensor  # (s,) cos(g(x + a d), g(x))
    loss: Tensor  # () L(x)
    grad_norm: Tensor  # () ‖g(x)‖
    preconditioned: Tensor | None = None  # (s,) ‖P^(−1/2) (g(x_a) − g(x))‖ / ‖P^(1/2) (x_a − x)‖, with preconditioner P


def walk(
    objective: Objective,
    origin: Point,
    direction: Point,
    sizes: Sequence[float] | Tensor,
    *,
    only: Collection[str] | None = None,
    start: tuple[Tensor, Point] | None = None,
    preconditioner: Point | None = None,
) -> Line:
    """Loss and gradient at `origin + a · direction` for each size a.

    Cost: s + 1 forward-backward passes for s sizes; s with `start`. Memory: scalars per size, and while it
    runs one extra copy of the parameters and one gradient beside the one at the origin.

    Args:
        objective: The frozen loss.
        origin: Where the walk starts, x; `objective.here()` for the present parameters.
        direction: Where it goes, d; minus the gradient in the paper. Names that it lacks do not move.
        sizes: The step sizes a, shape (s,), finite, in any order; 0 gives the loss at the origin, bit for bit.
        only: The parameters whose gradient is compared, such as one layer's; all by default.
        start: Loss and gradient at `origin`, if known already.
        preconditioner: The diagonal of P, positive, for `Line.preconditioned`.

    Returns:
        A `Line`; every field in the units of the loss and of the parameters.

    Raises:
        ValueError: if `sizes` is empty, not one-dimensional or not finite, or `direction` does not fit `origin`.
    Source: Santurkar et al. (2018), §3.1, Figure 4.

    Example:
        >>> from torch import nn                                  # L(w) = w²/2 · 4, at w = 1, along −g = −4
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, x: (m.weight * x).square().sum() / 2, torch.tensor(2.0))
        >>> x, d = {"weight": torch.tensor([[1.0]])}, {"weight": torch.tensor([[-4.0]])}
        >>> walk(objective, x, d, sizes=[0.25, 0.5]).losses
        tensor([0., 2.])
    """
    steps = check_sizes(sizes)
    loss, gradient = start or objective.loss_and_grad(origin)
    if only is not None:
        gradient = {name: gradient[name] for name in only}
    check_direction(origin, direction)
    start_there = {name: origin[name] for name in direction}
    with objective.isolated():
        points = (along(origin, direction, size) for size in steps)
        compared = [_compare(objective, at, start_there, gradient, only, preconditioner) for at in points]
    return line_of(steps, compared, loss, norm(gradient))


def loss_range(line: Line) -> tuple[float, float]:
    """The loss variation: [min, max] of L(x + a d) over the nonzero sizes.

    Size 0 is left out: the loss there is the run's own, kept in `line.loss`. NaN anywhere makes both NaN.

    Args:
        line: A walk with at least one nonzero size.

    Returns:
        (lowest, highest), in units of the loss.

    Raises:
        ValueError: if every size is zero.
    Source: Santurkar et al. (2018), §3.1, Figure 4(a).

    Example:
        >>> line = Line(torch.tensor([0.0, 1.0, 2.0]), *[torch.tensor([9.0, 3.0, 5.0])] * 4, *[torch.tensor(9.0)] * 2)
        >>> loss_range(line)
        (3.0, 5.0)
    """
    return _range(line.losses[_moved(line)])


def gradient_predictiveness(line: Line) -> tuple[float, float]:
    """The range [min, max] of ‖g(x + a d) − g(x)‖₂ over the nonzero sizes; small means predictive.

    Args:
        line: A walk with at least one nonzero size.

    Returns:
        (lowest, highest), in units of loss per parameter.

    Raises:
        ValueError: if every size is zero.
    Source: Santurkar et al. (2018), §3.1, Figure 4(b).

    Example:
        >>> line = Line(torch.tensor([1.0, 2.0]), *[torch.tensor([0.5, 4.0])] * 4, *[torch.tensor(1.0)] * 2)
        >>> gradient_predictiveness(line)
        (0.5, 4.0)
    """
    return _range(line.grad_gaps[_moved(line)])


def effective_smoothness(line: Line) -> float:
    """The effective β-smoothness: how fast the gradient turns along the walk.

        β = max_a ‖g(x_a) − g(x)‖ / ‖x_a − x‖

    where x_a is x + a d as the parameters' precision rounds it. Sizes at which all of it is rounded away do not count.
    On a quadratic it is at most the largest eigenvalue of the Hessian, with equality when d is that
    eigenvector. It is a finite difference and sees the kinks of ReLU and max-pooling, which the Hessian does
    not: it is not an estimate of λ_max. It is not comparable between parametrizations of another scale;
    β · lr / 2 is, and equals 1 where gradient descent at that lr stops being stable.

    Args:
        line: A walk with at least one nonzero size.

    Returns:
        β ≥ 0, in units of loss per squared parameter; NaN if nothing moves.

    Raises:
        ValueError: if every size is zero.
    Source: Santurkar et al. (2018), §3.1, Figure 4(c).

    Example:
        >>> line = Line(torch.tensor([1.0]), torch.tensor([2.0]), *[torch.tensor([6.0])] * 3, *[torch.tensor(1.0)] * 2)
        >>> effective_smoothness(line)
        3.0
    """
    return highest(line, line.grad_gaps / line.distances)


def highest(line: Line, ratios: Tensor) -> float:
    """The highest of some values (s,) over the sizes at which something moved; NaN if nothing did, or one is NaN.

    Raises:
        ValueError: if every size is zero.
    """
    moved = _moved(line) & (line.distances != 0)
    return float(ratios[moved].max()) if bool(moved.any()) else math.nan


def line_of(sizes: Sequence[float], compared: Sequence[tuple[Tensor, ...]], loss: Tensor, grad_norm: Tensor) -> Line:
    """The line whose points were compared with its start.

    Args:
        sizes: The step sizes.
        compared: For each size its distance, loss, gap and cosine, and, where there is a preconditioner, the ratio in
            its metric.
        loss: The loss at the start.
        grad_norm: The norm of the gradient there.
    """
    distances, losses, gaps, cosines, *preconditioned = map(torch.stack, zip(*compared, strict=True))
    steps = torch.tensor(sizes, dtype=distances.dtype, device=distances.device)
    return Line(steps, distances, losses, gaps, cosines, loss, grad_norm, *preconditioned)


def check_sizes(sizes: Sequence[float] | Tensor) -> list[float]:
    """The sizes as a list of floats; ValueError unless they are a nonempty sequence of finite numbers."""
    steps = torch.as_tensor(sizes, dtype=torch.float64)
    if steps.ndim != 1 or len(steps) == 0:
        raise ValueError(f"`sizes` must be a nonempty sequence of numbers; found {sizes!r}. Pass e.g. [0.1, 0.2].")
    values: list[float] = steps.tolist()
    if not all(map(math.isfinite, values)):
        raise ValueError(f"`sizes` must be finite; found {values}. Pass e.g. [0.1, 0.2].")
    return values


def _compare(
    objective: Objective,
    at: Point,
    origin: Point,
    start: Point,
    only: Collection[str] | None,
    preconditioner: Point | None,
) -> tuple[Tensor, ...]:
    """How far a point lies from `origin`, its loss, and its gradient's gap and cosine to `start`; last, both scaled.

    `origin` has the parameters that move. The gradient itself is not kept.
    """
    loss, gradient = objective.loss_and_grad(at, only)
    far = distance(origin, at)
    gap, cosine = gap_and_cosine(gradient, start)
    if preconditioner is None:
        return far, loss, gap, cosine
    scaled = norm(_scaled(difference(gradient, start), preconditioner, -0.5))
    moved = Computed(origin, lambda name: at[name] - origin[name])
    return far, loss, gap, cosine, scaled / norm(_scaled(moved, preconditioner, 0.5))


def _scaled(point: Point, preconditioner: Point, power: float) -> Point:
    return Computed(point, lambda name: point[name] * preconditioner[name] ** power)


def _moved(line: Line) -> Tensor:
    moved = line.sizes != 0
    if not bool(moved.any()):
        raise ValueError(f"`sizes` must contain a nonzero step; found {line.sizes.tolist()}. Pass e.g. [0.1, 0.2].")
    return moved


def _range(values: Tensor) -> tuple[float, float]:
    return float(values.min()), float(values.max())
