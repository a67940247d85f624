"""Directional sharpness: the curvature that a step meets, and what the second-order model of the loss says of it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.measures.layers import within
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, dot, norm, scale
from clinometer.readable.results import readable


@readable
@dataclass(frozen=True)
class DirectionalSharpness:
    """What the model L(x + d) ≈ L(x) + ⟨g, d⟩ + ½ dᵀHd says of a step d, and of each block's part of it."""

    value: float  # dᵀHd / ‖d‖², the directional sharpness
    gain: float  # −⟨g, d⟩: how far the loss would fall without curvature; below 0 the step goes uphill
    penalty: float  # ½ dᵀHd: what curvature takes from that
    within: Tensor  # (b,) d_bᵀ H_bb d_b / ‖d‖² of each block
    cross: float  # what is left of `value`: curvature between blocks, and of what is in no block; NaN without blocks
    gains: Tensor  # (b,) −⟨g_b, d_b⟩
    penalties: Tensor  # (b,) ½ d_bᵀ H_bb d_b
    products: int  # Hessian-vector products spent

    @property
    def change(self) -> float:
        """⟨g, d⟩ + ½ dᵀHd: by how much the model changes; the step lowers it if this is below 0."""
        return self.penalty - self.gain

    @property
    def quadratic_headroom(self) -> float:
        """2⟨−g, d⟩ / dᵀHd: the multiple of the step up to which the model lies below its start."""
        return quadratic_headroom(self.gain, self.penalty)


def directional_sharpness(
    objective: Objective, at: Point, direction: Point, blocks: Mapping[str, Iterable[str]] | None = None
) -> DirectionalSharpness:
    """The curvature of the loss along a step, split into gain and penalty, and into blocks.

        NDS = dᵀHd / ‖d‖²,   L(x + d) − L(x) ≈ −gain + penalty = ⟨g, d⟩ + ½ dᵀHd
        dᵀHd = Σ_b d_bᵀH_bb d_b (within blocks) + Σ_{b≠c} d_bᵀH_bc d_c (across them)

    NDS depends neither on the length of d nor on its sign. It lies between the smallest and largest eigenvalue of H.

    Cost: about one forward-backward pass for the gradient, and a Hessian-vector product of 1.7 more; with blocks, one
    more product for each. Memory: the graph of the gradient, and two copies of the parameters.

    Args:
        objective: The frozen loss.
        at: Where the step starts, x.
        direction: The step d, such as the optimizer's real update; names that it lacks do not move.
        blocks: Block name to the names of its parameters, as `blocks_of` gives them.

    Returns:
        `DirectionalSharpness`, in units of loss per squared parameter, and of the loss. A step without a length, or one
        that is not finite, has NaN everywhere.

    Raises:
        ValueError: if `direction` does not fit `at`, or a block names what `direction` lacks.
    Source: Pan & Li (2023), arXiv:2306.00204.

    Example:
        >>> from torch import nn                                     # L(w) = 2 w² at w = 1, with curvature 4
        >>> model = nn.Linear(1, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: 2 * m.weight.square().sum(), None)
        >>> x, d = {"weight": torch.tensor([[1.0]])}, {"weight": torch.tensor([[-0.5]])}
        >>> found = directional_sharpness(objective, x, d)
        >>> found.value, found.gain, found.penalty, found.change, found.quadratic_headroom
        (4.0, 2.0, 0.5, -1.5, 4.0)
    """
    parts = {block: within(direction, _known(block, names, direction)) for block, names in (blocks or {}).items()}
    length = float(norm(direction))
    if not 0 < length < math.inf:
        nothing = torch.full((len(parts),), math.nan)
        return DirectionalSharpness(math.nan, math.nan, math.nan, nothing, math.nan, nothing, nothing, 0)
    # Of unit length, as a short step times H is nothing in half precision. Rounding leaves it a length of its own.
    unit = scale(direction, 1 / length)
    squared = float(norm(unit)) ** 2
    with objective.linearized(at, differences=True) as product:
        total = _curvature(product(unit), unit) / squared
        alone = (within(unit, part) for part in parts.values())
        inner = [_curvature(product(part), part) / squared for part in alone]
        gains = [-float(dot(part, product.gradient)) for part in (direction, *parts.values())]
    return DirectionalSharpness(
        value=total,
        gain=gains[0],
        penalty=total * length**2 / 2,
        within=torch.tensor(inner, dtype=torch.float64),
        cross=total - sum(inner) if parts else math.nan,
        gains=torch.tensor(gains[1:], dtype=torch.float64),
        penalties=torch.tensor(inner, dtype=torch.float64) * (length**2 / 2),
        products=1 + len(parts),
    )


def quadratic_headroom(gain: float, penalty: float) -> float:
    """The multiple a of a step up to which −a gain + a² penalty is below 0, in the first stretch from 0.

    0 where the step starts uphill; infinite where the model falls and does not curve up; NaN of NaN.

    Example:
        >>> [quadratic_headroom(*each) for each in ((2.0, 0.5), (-2.0, 0.5), (2.0, -0.5))]
        [4.0, 0.0, inf]
    """
    if math.isnan(gain) or math.isnan(penalty):
        return math.nan
    if gain <= 0:
        return 0.0
    return gain / penalty if penalty > 0 else math.inf


def _known(block: str, names: Iterable[str], direction: Point) -> list[str]:
    found = list(names)
    for name in found:
        if name not in direction:
            raise ValueError(
                f"block {block!r} names {name!r}, which the direction lacks; it has {', '.join(list(direction)[:6])}."
            )
    return found


def _curvature(product: Point, direction: Point) -> float:
    return float(dot(direction, product))
