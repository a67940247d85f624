"""The extreme eigenvalues of the Hessian and their eigenvectors, by Hessian-vector products alone."""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from clinometer.measures.hessian_block import as_complex, as_real, refuse_shards
from clinometer.measures.lanczos import Lanczos
from clinometer.measures.layers import within
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, check_direction, flattened, unflattened
from clinometer.readable.results import readable

Which = Literal["largest", "smallest", "magnitude"]

# Products beyond k before anything has converged. What the search begins with may be eigenvectors already, and a larger
# eigenvalue of another direction shows in the random part only after some products. Along a run of gradient descent 14
# of 19 warm searches were wrong, by up to 6%, without this; 1 is with it.
_AT_LEAST = 3
_ROUNDINGS = 10.0  # of the largest product: no eigenvalue is known better
_NOT_FINITE = "a Hessian-vector product is not finite: the loss or one of its derivatives overflows at this point"


@readable
@dataclass(frozen=True)
class Eigenpairs:
    """Eigenpairs (θ, y) of the Hessian H, in the order that was asked for."""

    values: Tensor  # (k,) θ, float64 on the CPU
    vectors: tuple[Point, ...]  # k orthonormal directions y
    residuals: Tensor  # (k,) ‖Hy − θy‖: some eigenvalue lies that near to θ
    converged: Tensor  # (k,) whether the residual is small enough, which proves no θ to be the largest
    products: int  # Hessian-vector products
    reason: str = ""  # why values are NaN or have not converged
    notes: tuple[str, ...] = ()  # what is other than in training, such as how attention is computed


def top_eigenpairs(
    objective: Objective,
    at: Point,
    k: int = 1,
    *,
    which: Which = "largest",
    tolerance: float = 1e-3,
    start: Point | Sequence[Point] | None = None,
    preconditioner: Point | None = None,
    only: Collection[str] | None = None,
    max_products: int | None = None,
    basis: int | None = None,
    basis_device: torch.device | str | None = None,
) -> Eigenpairs:
    """The k largest eigenvalues of the Hessian at a point, with their eigenvectors, by Lanczos's method.

        H y = θ y,   until min(r, r²/gap) ≤ tolerance · |θ| for each of them,   r = ‖H y − θ y‖

    The gap is the distance to the nearest other value that was found. No other value may reach above them by its own
    error, and there are at least k + 3 products. Residuals come from the recurrence, without a product of their own,
    and are at least a rounding of H. The search begins with the gradient, which lies mostly in the directions of the
    largest eigenvalues, and a random direction, the same at each call. That a pair has converged does not prove that no
    larger eigenvalue was missed; no method that takes a few products can. An eigenvalue that is there several times may
    be found once.

    H is that of the objective's loss, with its flags. BatchNorm normalises by the batch in train mode and by constants
    in evaluation mode, and the two have different Hessians: on one VGG-11 the largest eigenvalue was 10.6 and 150.6.
    Kinks of ReLU and max-pooling have no second derivative and do not count, as they do in `effective_smoothness`.

    Cost: 1.5 forward-backward passes and 1.7 a product. A VGG-11 after 200 steps took 4 to 6 products for one
    eigenvalue in evaluation mode, 6 to 11 in train mode, and 10 to 13 for five in evaluation mode. A `start` spares
    some where the batch is the same. Memory: one vector of the parameters' size for each product, up to `basis`, and
    two more; and the graph of a gradient.

    Args:
        objective: The frozen loss.
        at: The point; `objective.here()` for the present parameters.
        k: How many eigenpairs.
        which: `largest` and `smallest` go by value, so that 2/lr compares with the largest; `magnitude` by |θ|.
        tolerance: The relative error of each eigenvalue.
        start: Directions to begin with in place of the gradient, such as `vectors` found at an earlier point.
        preconditioner: The diagonal of P, positive: the eigenpairs are then those of P^(−1/2) H P^(−1/2), which has the
            eigenvalues of P⁻¹H.
        only: The parameters of a block: H is then the part of the Hessian that belongs to them.
        max_products: Where the search ends at the latest; by default 40 + 10 k.
        basis: How many vectors of the parameters' size are kept, at least k + 2; by default 2 k + 22. A search that
            needs more is restarted from what it knows, and takes more products: with k + 2, about twice as many.
        basis_device: Where they are kept, such as "cpu"; by default where the parameters are.

    Returns:
        `Eigenpairs`; values are in units of loss per squared parameter, and NaN where a product is not finite.

    Raises:
        ValueError: if k is not between 1 and the number of parameters, or another argument is not as described.
    Source: Parlett (1998), The Symmetric Eigenvalue Problem, chapters 11 and 13; thick restart: Wu and Simon (2000).

    Example:
        >>> from torch import nn                                                # L = ½ Σ λᵢ wᵢ²
        >>> model, curvatures = nn.Linear(3, 1, bias=False), torch.tensor([1.0, -5.0, 4.0])
        >>> objective = Objective(model, lambda m, _: (curvatures * m.weight.square()).sum() / 2)
        >>> found = top_eigenpairs(objective, objective.here(), 2)
        >>> [round(value, 3) for value in found.values.tolist()], found.converged.tolist()
        ([4.0, 1.0], [True, True])
    """
    check_arguments(k, which, tolerance, max_products, basis)
    known = [] if start is None else [start] if isinstance(start, Mapping) else list(start)
    names = tuple(at) if only is None else tuple(only)
    refuse_shards(at.values())
    _check_points(at, names, known, preconditioner)
    if k > (size := sum(at[name].numel() for name in names)):
        raise ValueError(f"k must be at most the number of parameters, {size}; found {k}.")
    most = 40 + 10 * k if max_products is None else max_products
    basis = 2 * k + 22 if basis is None else basis
    space = _Space(within(at, names), basis_device, preconditioner)
    with objective.isolated(), objective.linearized(at) as product:
        lanczos = Lanczos(lambda v: space.vector(product(space.direction(v))), _start(space, known, product.gradient))
        while True:
            if len(lanczos.rows) == basis - 1:  # the next vector is one of the basis
                lanczos.restart(_order(lanczos, which)[: min(basis - 2, (basis + k) // 2)])
            lanczos.extend()
            found = _best(lanczos, k, which, tolerance, space.rounding)
            ended = lanczos.complete or not lanczos.finite or lanczos.products >= most
            if objective.ranks.broadcast(
                int(ended or bool(found.converged.all()))
            ):  # roundings may differ between ranks, but none may go on alone
                break
    found = dataclasses.replace(found, notes=product.notes)
    if not lanczos.finite:
        return dataclasses.replace(found, reason=_NOT_FINITE)
    lanczos.restart(_order(lanczos, which)[:k])
    missing = k - int(found.converged.sum())
    return dataclasses.replace(
        found,
        vectors=space.from_vectors(lanczos.rows),
        reason=f"{missing} of {k} have not converged after {lanczos.products} products; raise max_products"
        if missing
        else "",
    )


class _Space:
    """The parameters of a block as vectors, in coordinates in which the preconditioner is the identity.

    Args:
        like: The parameters at the point.
        device: Where the vectors lie; None for where the parameters are.
        preconditioner: The diagonal of P, or None for the identity.
    """

    def __init__(self, like: Point, device: torch.device | str | None, preconditioner: Point | None) -> None:
        self.rounding = max(torch.finfo(value.dtype).eps for value in like.values())
        self._like = like
        self._device = device
        self._roots: Tensor | None = None  # the diagonal of P^(−1/2)
        if preconditioner is not None:
            self._roots = self.to_vector(preconditioner).rsqrt_()

    def vector(self, gradient: Point) -> Tensor:
        """P^(−1/2) g (n,), a new tensor, for a gradient or a product g."""
        vector = self.to_vector(gradient)
        return vector if self._roots is None else vector.mul_(self._roots)

    def direction(self, vector: Tensor) -> Point:
        """P^(−1/2) v as a direction in which parameters move."""
        return self._point(vector if self._roots is None else vector * self._roots, self._like)

    def from_vectors(self, rows: Sequence[Tensor]) -> tuple[Point, ...]:
        """Vectors as points that lie where the vectors do."""
        like = {name: torch.empty_like(value, device=rows[0].device) for name, value in self._like.items()}
        return tuple(self._point(row, like) for row in rows)

    def to_vector(self, point: Point) -> Tensor:
        """The values of a point, of these parameters, as a vector (n,): also one of those of `from_vectors`."""
        return flattened(as_real(within(point, self._like)), self._device)

    def _point(self, vector: Tensor, like: Point) -> Point:
        return as_complex(unflattened(vector, as_real(like)), like)


def _start(space: _Space, known: Sequence[Point], gradient: Point) -> Tensor:
    """The first vector: what is known, the gradient and a random part, in lengths 1 : 0.3 : 0.1, or else 0 : 1 : 1.

    The gradient lies mostly in the directions of the largest eigenvalues; the random part reaches those that are
    orthogonal to all else.
    """
    slope = space.vector(gradient)
    drawn = torch.randn(len(slope), generator=torch.Generator().manual_seed(0), dtype=slope.dtype).to(slope.device)
    if not known:
        return _unit(slope) + _unit(drawn)
    total = torch.zeros_like(slope)
    for point in known:
        total += space.to_vector(point)
    return _unit(total).add_(_unit(slope), alpha=0.3).add_(_unit(drawn), alpha=0.1)


def _unit(vector: Tensor) -> Tensor:
    """The vector with length 1; zero if it has no length, or none that is finite."""
    length = float(torch.linalg.vector_norm(vector))
    return vector / length if 0 < length < math.inf else torch.zeros_like(vector)


def _height(values: Tensor, which: Which) -> Tensor:
    """What the values that are asked for have most of."""
    return {"largest": values, "smallest": -values, "magnitude": values.abs()}[which]


def _order(lanczos: Lanczos, which: Which) -> list[int]:
    """The Ritz values' places, those first that are asked for."""
    return _height(lanczos.ritz().values, which).argsort(descending=True).tolist()


def _best(lanczos: Lanczos, k: int, which: Which, tolerance: float, rounding: float) -> Eigenpairs:
    """What the basis knows of the eigenvalues that are asked for, without vectors; NaN as long as they are fewer."""
    if not lanczos.finite or len(lanczos.rows) < k:
        unknown = torch.full((k,), torch.nan, dtype=torch.float64)
        return Eigenpairs(unknown, (), unknown, torch.zeros(k, dtype=torch.bool), lanczos.products)
    ritz, order = lanczos.ritz(), _order(lanczos, which)
    ritz = dataclasses.replace(ritz, residuals=ritz.residuals.clamp(min=rounding * lanczos.largest))
    chosen, others = order[:k], order[k:]
    values = ritz.values[chosen]
    enough = (tolerance * values.abs()).clamp(min=_ROUNDINGS * torch.finfo(lanczos.rows[0].dtype).eps * lanczos.largest)
    reach = _height(ritz.values, which)[others] + ritz.errors[others]
    passed = bool((reach > _height(values, which)[-1] + enough[-1]).any())
    seen = lanczos.complete or (lanczos.products >= k + _AT_LEAST and not passed)
    return Eigenpairs(values, (), ritz.residuals[chosen], (ritz.errors[chosen] <= enough) & seen, lanczos.products)


def _check_points(at: Point, names: Sequence[str], known: Sequence[Point], preconditioner: Point | None) -> None:
    absent = [name for name in names if name not in at]
    if absent or not names:
        raise ValueError(f"`only` must name parameters such as {', '.join(list(at)[:6])}; found {absent or '[]'}.")
    for point in (*known, *([preconditioner] if preconditioner is not None else [])):
        check_direction(at, point)
        lacking = [name for name in names if name not in point]
        if lacking:
            raise ValueError(f"`start` and `preconditioner` need a value for each parameter; {lacking[0]!r} has none.")


def check_arguments(k: int, which: str, tolerance: float, max_products: int | None, basis: int | None) -> None:
    """ValueError, with what was expected, for arguments that `top_eigenpairs` cannot take at any point."""
    if k < 1:
        raise ValueError(f"k must be at least 1; found {k}.")
    if which not in get_args(Which):
        raise ValueError(f"which must be one of {', '.join(get_args(Which))}; found {which!r}.")
    if not 0 < tolerance < 1:
        raise ValueError(f"`tolerance` must lie in (0, 1); found {tolerance}. Pass e.g. 1e-3.")
    if max_products is not None and max_products < k:
        raise ValueError(f"`max_products` must be at least k = {k}; found {max_products}.")
    if basis is not None and basis < k + 2:
        raise ValueError(f"`basis` must be at least k + 2 = {k + 2}; found {basis}.")
