"""Observation 4.3: BatchNorm can be set so as to change nothing.

Hypothesis: the batch is not constant (σ > 0).
Left side: BatchNorm's output with γ = s and β = μ. Right side: the layer's output y.

With a pencil: s(y − μ)/s + μ = y. With ε > 0, γ must be s = √(σ² + ε): with γ = σ, as printed, the activations come out
σ/s times too small.

Where the print misleads: "consequently, all of the minima of the normal landscape are preserved". For a layer with a
bias, yes: whatever W, γ and β, BatchNorm's output is affine in the inputs, so near a minimum W* it cannot reach what
the layer did not reach. A layer y = Wx without a bias has minima that are none with BatchNorm, whose β is a bias:
there ∂L̂/∂β = ⟨1, g⟩ is not zero.
"""

from dataclasses import replace

import torch
from torch import Generator, Tensor

from clinometer.papers.santurkar2018.unit import LARGEST, Unit, gradient, random_unit
from clinometer.studies.theorems import Theorem, relative_error


def configured(unit: Unit, gamma: Tensor | None = None) -> Unit:
    """The unit with β = μ and γ = s, or another γ."""
    return replace(unit, gamma=float(unit.s if gamma is None else gamma), beta=float(unit.y.mean()))


def left(unit: Unit) -> Tensor:
    """BatchNorm's output in that configuration, (m,)."""
    return configured(unit).z


def right(unit: Unit) -> Tensor:
    """The layer's output, (m,)."""
    return unit.y


def activations_error(unit: Unit) -> float:
    """‖left − right‖/‖y‖."""
    return relative_error(left(unit), right(unit), unit.y.norm())


def at_minimum(unit: Unit, target: Tensor, *, bias: bool) -> Unit:
    """The unit at the minimum of ½‖y − target‖² over a layer with or without a bias, as an input that is always 1."""
    x = torch.cat([unit.x, torch.ones_like(unit.x[:, :1])], 1) if bias else unit.x
    w = torch.linalg.lstsq(x, target[:, None]).solution[:, 0]

    def loss(z: Tensor) -> Tensor:
        return (z - target).square().sum() / 2

    return replace(unit, x=x, w=w, loss=loss)


def minimum_error(unit: Unit) -> float:
    """L̂'s gradients in W, γ and β in that configuration, each over the size it has where nothing cancels."""
    at = configured(unit)
    gradients = gradient(at.loss_of, at.w), at.g @ at.normalized, at.g.sum()
    g, root = at.g.norm(), len(at.g) ** 0.5
    sizes = torch.linalg.matrix_norm(at.x, 2) * g, root * g, root * g
    return max(relative_error(each, torch.zeros_like(each), size) for each, size in zip(gradients, sizes, strict=True))


def _minimum(generator: Generator, *, bias: bool) -> float:
    unit = random_unit(generator, m=LARGEST)  # more samples than inputs: the minimum keeps a residual
    target = torch.randn(LARGEST, generator=generator, dtype=torch.float64)
    return minimum_error(at_minimum(unit, target, bias=bias))


def _gamma_is_sigma(generator: Generator) -> float:
    unit = random_unit(generator, eps=0.1)
    sigma = unit.y.std(correction=unit.unbiased)
    return relative_error(configured(unit, sigma).z, unit.y, unit.y.norm())


def _constant(generator: Generator) -> float:
    unit = random_unit(generator, eps=0.0)
    return activations_error(replace(unit, x=torch.ones_like(unit.x), w=torch.ones_like(unit.w)))


THEOREM = Theorem(
    hypothesis="σ > 0; for the minima, a layer with a bias",
    printed="for any X and W some (γ, β) with γ = σ gives the same activations; so all minima are preserved",
    true="γ = s and β = μ give z = y; minima of a layer with a bias are preserved, with zero gradient in W, γ and β",
    case=lambda generator: max(activations_error(random_unit(generator)), _minimum(generator, bias=True)),
    breaks={
        "γ = σ, but ε > 0": _gamma_is_sigma,
        "minima preserved, of a layer without a bias": lambda generator: _minimum(generator, bias=False),
        "a constant batch (σ = 0) at ε = 0": _constant,
    },
)
