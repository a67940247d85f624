"""Fact C.1: the gradient through BatchNorm.

Hypothesis: the batch is not constant (σ > 0). γ and β are constants.
Left side: ∂L̂/∂y. Right side: (γ/s) P g, in the notation of `unit.py`.

With a pencil: z = γŷ + β, so ∂L̂/∂y = γ (∂ŷ/∂y)ᵀg, and ∂ŷ/∂y = P/s is symmetric.

The print, (γ/(mσ))(m gᵢ − Σₖgₖ − ŷᵢ Σₖgₖŷₖ), is this at ε = 0 with the biased variance. With ε > 0 the σ in it is
√(σ²+ε), in ŷ too; with the unbiased variance the last 1/m is 1/(m−1).
"""

from dataclasses import replace

import torch
from torch import Tensor

from clinometer.papers.santurkar2018.unit import Unit, random_unit
from clinometer.studies.theorems import Theorem, relative_error


def left(unit: Unit) -> Tensor:
    """∂L̂/∂y, (m,), by differentiating through BatchNorm."""
    return unit.v


def right(unit: Unit) -> Tensor:
    """(γ/s)(g − 1⟨1, g⟩/m − ŷ⟨g, ŷ⟩/n), (m,)."""
    g, normalized = unit.g, unit.normalized
    return unit.gamma / unit.s * (g - g.mean() - normalized * (g @ normalized) / unit.n)


def as_printed(unit: Unit) -> Tensor:
    """The same with σ for s and m for n, whatever ε and the variance."""
    plain = replace(unit, eps=0.0, unbiased=False)
    normalized, g = plain.normalized, unit.g
    return unit.gamma / plain.s * (g - g.mean() - normalized * (g @ normalized) / len(g))


def error(unit: Unit) -> float:
    """‖left − right‖ over (|γ|/s)‖g‖."""
    return relative_error(left(unit), right(unit), unit.size().sqrt())


def _printed_error(unit: Unit) -> float:
    return relative_error(left(unit), as_printed(unit), unit.size().sqrt())


def _constant(unit: Unit) -> Unit:
    return replace(unit, x=torch.zeros_like(unit.x))


THEOREM = Theorem(
    hypothesis="σ > 0; g = ∂L/∂z at BatchNorm's output z, and L̂(y) = L(z)",
    printed="∂L̂/∂yᵢ = (γ/(mσ)) (m gᵢ − Σₖ gₖ − ŷᵢ Σₖ gₖŷₖ)",
    true="∇_y L̂ = (γ/s) P g,  P = I − 11ᵀ/m − ŷŷᵀ/n,  s² = σ² + ε,  n = m, or m − 1 with the unbiased variance",
    case=lambda generator: error(random_unit(generator)),
    breaks={
        "as printed, but ε > 0": lambda generator: _printed_error(random_unit(generator, eps=0.1, unbiased=False)),
        "as printed, but the unbiased variance": lambda generator: _printed_error(
            random_unit(generator, eps=0.0, unbiased=True)
        ),
        "a constant batch (σ = 0) at ε = 0": lambda generator: error(_constant(random_unit(generator, eps=0.0))),
    },
)
