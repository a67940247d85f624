"""Theorem 4.2, first part: what BatchNorm does to the curvature along the gradient.

Hypothesis: g = ∂L/∂z and H = ∂²L/∂z² are taken at BatchNorm's output z; for the formula as printed also ε = 0.
Left side: vᵀ(∂²L̂/∂y²)v along v = ∂L̂/∂y. Right side, in the notation of `unit.py` with a = ⟨g, ŷ⟩, p = ⟨ŷ, v⟩:

    (γ²/s²)(Pv)ᵀH(Pv) − (γ/(ns²)) (a‖v‖² + 2p⟨g, v⟩ − 3ap²/n).

With a pencil: D²L̂[v, v] = (∂z v)ᵀH(∂z v) + ⟨g, D²z[v, v]⟩ and ∂z v = (γ/s)Pv. As ŷ = (y − μ)/s and ⟨1, v⟩ = 0,
D²ŷ[v, v] = 2v D(1/s)[v] + (y − μ) D²(1/s)[v, v], where D(1/s)[v] = −p/(ns²) and
D²(1/s)[v, v] = (3p²/n − ‖v‖²)/(ns³). At ε = 0, p = (γ/s)(1 − r)a = 0 and Pv = v, which leaves what is printed,
(γ²/σ²)vᵀHv − (γ/(mσ²))⟨g, ŷ⟩‖v‖². So it is an equality, though printed as "≤".
"""

from torch import Tensor

from clinometer.papers.santurkar2018.unit import Unit, curvature, gradient, random_unit
from clinometer.studies.theorems import Theorem, excess, relative_error


def left(unit: Unit) -> Tensor:
    """vᵀ(∂²L̂/∂y²)v, by differentiating through BatchNorm twice."""
    return curvature(unit.loss_at, unit.y, along=unit.v)


def right(unit: Unit) -> Tensor:
    """(γ²/s²)(Pv)ᵀH(Pv) less `bending`."""
    u = projected(unit)
    return (unit.gamma / unit.s) ** 2 * (u @ unit.h @ u) - bending(unit)


def projected(unit: Unit) -> Tensor:
    """Pv, (m,); v itself at ε = 0."""
    v, normalized = unit.v, unit.normalized
    return v - v.mean() - normalized * (normalized @ v) / unit.n


def bending(unit: Unit) -> Tensor:
    """What BatchNorm's own curvature takes away: (γ/(ns²))(a‖v‖² + 2p⟨g, v⟩ − 3ap²/n)."""
    v, g, n = unit.v, unit.g, unit.n
    a, p = g @ unit.normalized, unit.normalized @ v
    return unit.gamma / (n * unit.s**2) * (a * v.square().sum() + 2 * p * (g @ v) - 3 * a * p**2 / n)


def as_printed(unit: Unit, at: Tensor | None = None) -> Tensor:
    """(γ²/s²)vᵀHv − (γ/(ms²))⟨g, ŷ⟩‖v‖², with g and H taken at z, or at another point."""
    v, at = unit.v, unit.z if at is None else at
    scaled = (unit.gamma / unit.s) ** 2 * curvature(unit.loss, at, along=v)
    a = gradient(unit.loss, at) @ unit.normalized
    return scaled - unit.gamma / (len(v) * unit.s**2) * a * v.square().sum()


def error(unit: Unit) -> float:
    """|left − right| over the size of the terms."""
    return relative_error(left(unit), right(unit), unit.hessian_size())


def _printed_error(unit: Unit) -> float:
    return relative_error(left(unit), as_printed(unit), unit.hessian_size())


def _taken_at_y(unit: Unit) -> float:
    return excess(left(unit), as_printed(unit, at=unit.y), unit.hessian_size())


THEOREM = Theorem(
    hypothesis="g = ∂L/∂z and H = ∂²L/∂z² at BatchNorm's output; v = ∇_y L̂",
    printed="vᵀ(∂²L̂/∂y²)v ≤ (γ²/σ²) vᵀHv − (γ/(mσ²)) ⟨g, ŷ⟩ ‖v‖²",
    true="vᵀ(∂²L̂/∂y²)v = (γ²/s²) (Pv)ᵀH(Pv) − (γ/(ns²)) (a‖v‖² + 2p⟨g, v⟩ − 3ap²/n),  a = ⟨g, ŷ⟩,  p = ⟨ŷ, v⟩; "
    "at ε = 0 p = 0 and Pv = v: what is printed, with =",
    case=lambda generator: error(random_unit(generator)),
    breaks={
        "as printed with =, but ε > 0": lambda generator: _printed_error(
            random_unit(generator, eps=0.1, unbiased=False)
        ),
        "as printed with =, but the unbiased variance": lambda generator: _printed_error(
            random_unit(generator, eps=0.0, unbiased=True)
        ),
        "g and H taken at y, not at z": lambda generator: _taken_at_y(random_unit(generator, eps=0.0, unbiased=False)),
    },
)
