"""Generalised sharpness: the most curvature that a step within the ball of the optimizer's own norm can meet.

Methods that normalise their step, as by its sign or its singular values, have no preconditioner whose eigenvalues could
be held against 2/lr. What limits them is the highest curvature over the directions that they might have taken.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, dot, scale, step, sub
from clinometer.objective.params import norm as length_of
from clinometer.readable.results import readable

Norm = Literal["max", "spectral", "euclidean"]


@readable
@dataclass(frozen=True)
class SharpnessBound:
    """A lower bound on max dᵀHd over a ball; there may be directions in it with more curvature."""

    value: float  # the highest dᵀHd that was found; 0 where none is above it; NaN where H is not finite
    lowest: float  # where the start that came out worst ended; far below `value`, other starts may find more
    direction: Point  # the d that reached `value`
    products: int  # Hessian-vector products spent


def generalised_sharpness(
    objective: Objective,
    at: Point,
    starts: Iterable[Point],
    norm: Norm,
    radii: Mapping[str, float] | float = 1.0,
    *,
    tolerance: float = 1e-3,
    iterations: int = 10,
) -> SharpnessBound:
    """A lower bound on the most curvature within the ball of a norm, by Frank-Wolfe steps from several starts.

        S = max_{‖d‖ ≤ 1} dᵀHd,   s = argmax_{‖s‖ ≤ 1} ⟨s, Hd⟩,   d ← (1 − γ)d + γ s with the best γ ≤ 1

    Each step raises dᵀHd, and each d lies in the ball, so what is found is always a lower bound on S. The maximum
    itself is NP-hard for the max norm. For the Euclidean norm S is λ_max, or 0 where all eigenvalues are negative.

    Cost: about one forward-backward pass, and for each start up to `iterations` + 1 Hessian-vector products of 1.7
    each; for the spectral norm as many singular value decompositions of each matrix. Memory: the graph of the
    gradient, and five copies of the parameters.

    Args:
        objective: The frozen loss.
        at: Where to measure.
        starts: Directions to search from; of each the vertex of the ball that it points to counts.
        norm: `max`: the largest entry, for methods that step by signs. `spectral`: the largest singular value of each
            parameter as a matrix (first dimension, the others); of a vector its length; for Muon. `euclidean`: over all
            parameters together.
        radii: Of the ball: a number, or one for each parameter (not for `euclidean`).
        tolerance: Stop where a step can raise dᵀHd by no more than this share.
        iterations: Stop after so many steps.

    Returns:
        `SharpnessBound`, in units of the loss where the ball is one of steps, or of loss per squared parameter where
        its radius is 1.

    Raises:
        ValueError: for an unknown norm, no start, or radii that do not fit.
    Source: Islamov, Crawshaw, Cohen & Gower (2026), arXiv:2603.05002.

    Example:
        >>> h = torch.tensor([[2.0, 1.0], [1.0, 2.0]])                # over {−1, 1}² at most 6, along (1, 1)
        >>> objective = Objective(params={"w": torch.ones(2)}, loss_fn=lambda p, _: p["w"] @ h @ p["w"] / 2)
        >>> starts = [{"w": torch.tensor([1.0, 0.5])}]
        >>> generalised_sharpness(objective, objective.here(), starts, "max").value
        6.0
    """
    toward = _vertex(norm, radii)
    spent, ends = 0, list[tuple[float, Point]]()
    with objective.linearized(at) as product:
        for start in starts:
            curvature, direction, products = _climb(product, toward, toward(start), tolerance, iterations)
            spent += products
            ends.append((curvature, direction))
    if not ends:
        raise ValueError("expected at least one start; pass the gradient, the update or a random direction.")
    values = [value for value, _ in ends]
    if not all(map(math.isfinite, values)):
        return SharpnessBound(math.nan, math.nan, ends[0][1], spent)
    best, direction = max(ends, key=lambda end: end[0])
    return SharpnessBound(max(best, 0.0), max(min(values), 0.0), direction, spent)


def norms_of(direction: Point, of: Norm) -> dict[str, float] | float:
    """The norm of each parameter's part of a direction, or of all for `euclidean`: the radii of its ball.

    Example:
        >>> norms_of({"w": torch.tensor([[3.0, 0.0], [0.0, -4.0]])}, "spectral")
        {'w': 4.0}
    """
    if of == "euclidean":
        return float(length_of(direction))
    measure = _largest if of == "max" else _spectral
    return {name: measure(value) for name, value in direction.items()}


def _climb(
    product: Callable[[Point], Point],
    toward: Callable[[Point], Point],
    direction: Point,
    tolerance: float,
    iterations: int,
) -> tuple[float, Point, int]:
    """dᵀHd where Frank-Wolfe steps with an exact line search end, that d, and the products spent."""
    image = product(direction)
    value, spent = float(dot(direction, image)), 1
    while math.isfinite(value) and spent <= iterations:
        vertex = toward(image)
        rise = float(dot(vertex, image)) - value  # half of the slope towards the vertex
        if not rise > tolerance * abs(value):
            break
        there = product(vertex)
        spent += 1
        bend = rise - float(dot(vertex, there)) + float(dot(vertex, image))  # minus the second-order part
        share = min(1.0, rise / bend) if bend > 0 else 1.0
        value = value + 2 * share * rise - share**2 * bend
        direction = step(direction, sub(vertex, direction), share)
        image = step(image, sub(there, image), share)
    return value, direction, spent


def _vertex(norm: Norm, radii: Mapping[str, float] | float) -> Callable[[Point], Point]:
    """The function from a direction to the point of the ball that lies farthest along it."""
    if norm == "euclidean":
        if isinstance(radii, Mapping):
            raise ValueError("the euclidean ball has one radius for all parameters; found one for each.")
        return lambda direction: _to_length(direction, radii)
    if norm not in ("max", "spectral"):
        raise ValueError(f"norm must be one of max, spectral, euclidean; found {norm!r}.")
    shape = torch.sign if norm == "max" else _orthogonal

    def farthest(direction: Point) -> Point:
        sizes = radii if isinstance(radii, Mapping) else dict.fromkeys(direction, radii)
        missing = [name for name in direction if name not in sizes]
        if missing:
            raise ValueError(f"no radius for {missing[0]!r}; there are radii for {', '.join(list(sizes)[:6])}.")
        return {name: shape(value) * sizes[name] for name, value in direction.items()}

    return farthest


def _to_length(direction: Point, radius: float) -> Point:
    length = float(length_of(direction))
    return scale(direction, radius / length if length > 0 else 0.0)


def _orthogonal(value: Tensor) -> Tensor:
    """U Vᵀ of the singular value decomposition of a parameter as a matrix."""
    matrix = _as_matrix(value)
    if not bool(matrix.isfinite().all()):  # which the decomposition refuses
        return torch.full_like(value, math.nan)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    return (u @ v).reshape(value.shape).to(value.dtype)


def _spectral(value: Tensor) -> float:
    matrix = _as_matrix(value)
    return float(torch.linalg.matrix_norm(matrix, 2)) if bool(matrix.isfinite().all()) else math.nan


def _largest(value: Tensor) -> float:
    return float(value.abs().max()) if value.numel() else 0.0


def _as_matrix(value: Tensor) -> Tensor:
    """(first dimension, the others), in float32 or wider; a vector is a column."""
    wide = value.to(torch.promote_types(value.dtype, torch.float32))
    return wide.reshape(value.shape[0] if value.ndim else 1, -1)
