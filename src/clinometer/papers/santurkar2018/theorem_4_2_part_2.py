"""Theorem 4.2, second part: the bound that has gᵀHg in it.

Hypothesis as printed: "H preserves the relative norms of g and v = ∂L̂/∂y". Read as uᵀHu/‖u‖² = gᵀHg/‖g‖².
Left side: vᵀ(∂²L̂/∂y²)v. Right side: (γ²/s²)gᵀHg less BatchNorm's own curvature, where the first part has uᵀHu with
u = Pv (at ε = 0, v itself).

With a pencil: subtract the first part, an equality. What is left is right − left = (γ²/s²)(gᵀHg − uᵀHu): the bound
holds if and only if uᵀHu ≤ gᵀHg, whatever else is assumed. With equal quotients that is (‖g‖² − ‖u‖²) gᵀHg ≥ 0.

Where the print misleads: its hypothesis is not enough. It also takes ‖u‖ ≤ ‖g‖ together with gᵀHg ≥ 0, of which the
first follows from |γ| ≤ s, since ‖u‖ = (|γ|/s)‖P²g‖. Where γ makes u longer than g, H = I, which preserves every norm,
breaks the bound; so does a g along which H is negative.
"""

import math
from dataclasses import replace

import torch
from torch import Generator, Tensor

from clinometer.papers.santurkar2018.theorem_4_2_part_1 import bending, left, projected
from clinometer.papers.santurkar2018.unit import Unit, random_unit
from clinometer.studies.theorems import Theorem, excess, relative_error


def right(unit: Unit) -> Tensor:
    """(γ²/s²)gᵀHg less BatchNorm's own curvature."""
    return (unit.gamma / unit.s) ** 2 * (unit.g @ unit.h @ unit.g) - bending(unit)


def slack(unit: Unit) -> Tensor:
    """(γ²/s²)(gᵀHg − uᵀHu): right − left, if and only if the first part is true."""
    u = projected(unit)
    return (unit.gamma / unit.s) ** 2 * (unit.g @ unit.h @ unit.g - u @ unit.h @ u)


def size(unit: Unit) -> Tensor:
    """The size of the terms of both sides."""
    return unit.hessian_size() + unit.size() * torch.linalg.matrix_norm(unit.h, 2)


def violation(unit: Unit) -> float:
    """By how much left ≤ right is violated, over the size of the terms."""
    return excess(left(unit), right(unit), size(unit))


def error(unit: Unit) -> float:
    """The larger of `violation` and the error of right − left = slack."""
    curved, bound, terms = left(unit), right(unit), size(unit)
    return max(excess(curved, bound, terms), relative_error(bound - curved, slack(unit), terms))


def with_loss(unit: Unit, g: Tensor, h: Tensor) -> Unit:
    """The unit with a quadratic loss that has gradient g and Hessian h at z."""
    slope = g - h @ unit.z

    def loss(z: Tensor) -> Tensor:
        return z @ h @ z / 2 + slope @ z

    return replace(unit, loss=loss)


def preserving(unit: Unit, g: Tensor, h: Tensor, quotient: float) -> Unit:
    """The same with h changed by multiples of uuᵀ and I until both Rayleigh quotients are `quotient`."""
    u = projected(with_loss(unit, g, h))
    u, along = u / u.norm(), g / g.norm()
    level = (along @ h @ along - u @ h @ u) / (1 - (u @ along) ** 2)  # uuᵀ has the quotients 1 and ⟨u, g⟩²
    h = h + level * torch.outer(u, u)
    return with_loss(unit, g, h + (quotient - along @ h @ along) * torch.eye(len(g), dtype=h.dtype))


def _draw(generator: Generator) -> tuple[Unit, Tensor, Tensor]:
    """A unit with |γ| ≤ s, a gradient, and a symmetric matrix."""
    unit = random_unit(generator)
    share = 0.1 + 0.9 * float(torch.rand((), generator=generator))
    h = torch.randn(len(unit.x), len(unit.x), generator=generator, dtype=torch.float64)
    return replace(unit, gamma=math.copysign(share * float(unit.s), unit.gamma)), unit.g, (h + h.T) / 2


def _preserved(generator: Generator, quotient: float = 1.0) -> Unit:
    return preserving(*_draw(generator), quotient)


def _longer(generator: Generator) -> Unit:
    """The hypothesis as printed, with a γ that makes u twice as long as g."""
    unit, g, h = _draw(generator)
    share = float(projected(with_loss(unit, g, h)).norm() / g.norm())
    return preserving(replace(unit, gamma=unit.gamma * 2 / share), g, h, 1.0)


def _any(generator: Generator, *, convex: bool) -> Unit:
    unit, g, h = _draw(generator)
    return with_loss(unit, g, h @ h if convex else h)


THEOREM = Theorem(
    hypothesis="H preserves the relative norms of g and u = Pv: uᵀHu/‖u‖² = gᵀHg/‖g‖²; and, not in "
    "the print, |γ| ≤ s and gᵀHg ≥ 0",
    printed="vᵀ(∂²L̂/∂y²)v ≤ (γ²/σ²) (gᵀHg − (1/(mγ)) ⟨g, ŷ⟩ ‖v‖²)",
    true="vᵀ(∂²L̂/∂y²)v = (γ²/s²) gᵀHg − (γ/(ns²)) (…) − (γ²/s²) (gᵀHg − uᵀHu), with (…) as in the first part: "
    "the bound holds if and only if uᵀHu ≤ gᵀHg",
    case=lambda generator: error(_preserved(generator)),
    breaks={
        "any symmetric H, |γ| ≤ s": lambda generator: violation(_any(generator, convex=False)),
        "any H ⪰ 0, |γ| ≤ s": lambda generator: violation(_any(generator, convex=True)),
        "relative norms preserved, but ‖u‖ = 2‖g‖": lambda generator: violation(_longer(generator)),
        "relative norms preserved, but gᵀHg < 0": lambda generator: violation(_preserved(generator, -1.0)),
    },
)
