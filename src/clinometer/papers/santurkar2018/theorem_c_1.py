"""Theorem C.1: the curvature along the gradient with respect to the weights.

Hypothesis: XXᵀ = λ²I, which takes as many inputs as samples; g and H at BatchNorm's output.
Left side: the quadratic form of ∂²L̂/∂W² along ∂L̂/∂W. Right side: λ⁴ times that of Theorem 4.2, first part.

With a pencil: y = XW, so ∂L̂/∂W = Xᵀv and ∂²L̂/∂W² = XᵀĤX with Ĥ = ∂²L̂/∂y². The form is (XXᵀv)ᵀĤ(XXᵀv), which is
λ⁴vᵀĤv at XXᵀ = λ²I.

Where the print misleads: it speaks of the maximum over ‖X‖ ≤ λ. The maximum is at XXᵀ = λ²I only if v is an eigenvector
of Ĥ. For a unit vector u, X = λuqᵀ has ‖X‖ = λ and gives λ⁴⟨u, v⟩²uᵀĤu: as much as XXᵀ = λ²I at u = v/‖v‖, and more a
little way from there towards Ĥv, as ⟨u, v⟩² falls in second order only. Nor does y have to move for that, with four
samples or more: at ε = 0, ⟨y, v⟩ = 0, so with u ⊥ y and q ⊥ W we may add yWᵀ/‖W‖² (`larger`). So the right side
is the value at XXᵀ = λ²I, which is what is checked, and no bound over all X.
"""

from dataclasses import replace

import torch
from torch import Generator, Tensor

from clinometer.papers.santurkar2018 import theorem_4_2_part_1
from clinometer.papers.santurkar2018.theorem_4_4 import across, feasible
from clinometer.papers.santurkar2018.unit import Unit, curvature, gradient, hessian, random_unit
from clinometer.studies.theorems import Theorem, excess, relative_error

ANGLES = torch.linspace(-0.8, 0.8, 65, dtype=torch.float64)


def left(unit: Unit) -> Tensor:
    """The quadratic form, by differentiating twice through the layer and BatchNorm."""
    return curvature(unit.loss_of, unit.w, along=gradient(unit.loss_of, unit.w))


def right(unit: Unit, bound: float) -> Tensor:
    """λ⁴ times the right side of Theorem 4.2, first part."""
    return bound**4 * theorem_4_2_part_1.right(unit)


def orthogonal(unit: Unit, bound: float) -> Unit:
    """The unit with an input of the same shape for which XXᵀ = λ²I."""
    return replace(unit, x=bound * torch.linalg.qr(unit.x.T).Q.T)


def larger(unit: Unit, bound: float) -> Unit:
    """The unit with an input of the same y and ‖X‖ = λ on which the left side is larger, at ε = 0."""
    bent, v = hessian(unit.loss_at, unit.y), unit.v / unit.v.norm()
    towards = bent @ v
    for fixed in torch.linalg.qr(torch.stack([v, unit.y], 1)).Q.T:
        towards = towards - fixed * (fixed @ towards)
    towards = towards / towards.norm()
    u = torch.outer(ANGLES.cos(), v) + torch.outer(ANGLES.sin(), towards)  # (angles, m) unit vectors
    best = u[((u @ v) ** 2 * ((u @ bent) * u).sum(1)).argmax()]
    return feasible(unit, bound, torch.outer(best, across(unit.w)))


def error(unit: Unit, bound: float) -> float:
    """|left − right| over the size of the terms."""
    return relative_error(left(unit), right(unit, bound), bound**4 * unit.hessian_size())


def draw(generator: Generator, *, plain: bool = False) -> tuple[Unit, float]:
    """A unit with XXᵀ = λ²I, and λ; `plain` has ε = 0 and the biased variance."""
    m = int(torch.randint(4, 11, (), generator=generator))
    eps, unbiased = (0.0, False) if plain else (None, None)
    unit = random_unit(generator, m=m, d=m + 2, eps=eps, unbiased=unbiased)
    bound = 10 ** (2 * float(torch.rand((), generator=generator)) - 1)
    return orthogonal(unit, bound), bound


def _case(generator: Generator) -> float:
    return error(*draw(generator))


def _maximum(generator: Generator) -> float:
    unit, bound = draw(generator, plain=True)
    return excess(left(larger(unit, bound)), right(unit, bound), bound**4 * unit.hessian_size())


def _other_input(generator: Generator) -> float:
    unit = random_unit(generator)
    bound = float(torch.linalg.matrix_norm(unit.x, 2))
    return error(unit, bound)


THEOREM = Theorem(
    hypothesis="XXᵀ = λ²I; v = ∇_y L̂, g = ∂L/∂z and H = ∂²L/∂z²",
    printed="over ‖X‖ ≤ λ, the largest (∇_W L̂)ᵀ(∂²L̂/∂W²)(∇_W L̂) is bounded by its value at XXᵀ = λ²I (in outline)",
    true="(∇_W L̂)ᵀ(∂²L̂/∂W²)(∇_W L̂) = λ⁴ vᵀ(∂²L̂/∂y²)v at XXᵀ = λ²I, with Theorem 4.2 for the latter; "
    "the maximum over ‖X‖ ≤ λ is there only if v is an eigenvector of ∂²L̂/∂y²",
    case=_case,
    breaks={
        "the maximum over ‖X‖ ≤ λ, with y kept": _maximum,
        "‖X‖ = λ, but XXᵀ ≠ λ²I": _other_input,
    },
)
