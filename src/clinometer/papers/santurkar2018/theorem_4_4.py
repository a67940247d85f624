"""Theorem 4.4: the largest gradient with respect to the weights.

Hypothesis: the input X varies within ‖X‖ ≤ λ (largest singular value) while the layer's output y = XW stays, and with
it g, ŷ and s. That takes λ ≥ ‖y‖/‖W‖, and two inputs or more.
Left side: max ‖∂L̂/∂W‖². Right side, in the notation of `unit.py`, with g_j = max ‖∂L/∂W‖² = λ²‖g‖² and μ_g the mean
of g:

    (γ²/s²)(g_j − λ²mμ_g² − λ²((2 − r)/n)⟨g, ŷ⟩²).

With a pencil: ∂L̂/∂W = Xᵀv with v = ∂L̂/∂y. Let c = y/‖W‖, ŵ = W/‖W‖. The X with XW = y are cŵᵀ + SK with Kŵ = 0 and
S = (λ²I − ccᵀ)^½, and XXᵀ = ccᵀ + SKKᵀS, so ‖X‖ ≤ λ just if ‖K‖ ≤ 1. Then ‖Xᵀv‖² = ⟨c, v⟩² + ‖KᵀSv‖² is at most
⟨c, v⟩² + ‖Sv‖² = λ²‖v‖², and is that at K = (Sv/‖Sv‖)qᵀ with a unit q ⊥ W. The rest is Theorem 4.1.

Where the print misleads: it has g_j², which is a fourth power; m μ_g² without λ²; and λ²⟨g, ŷ⟩² without 1/m. It also
maximises over all X, with which σ moves: as y → 0 within ‖X‖ ≤ λ the left side grows without bound at ε = 0.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor

from clinometer.papers.santurkar2018.unit import Unit, gradient, random_unit
from clinometer.studies.theorems import Theorem, excess, relative_error


def left(unit: Unit) -> Tensor:
    """‖∂L̂/∂W‖², by differentiating through the layer and BatchNorm."""
    return gradient(unit.loss_of, unit.w).square().sum()


def right(unit: Unit, bound: float, power: int = 1, mean: float | None = None, last: float | None = None) -> Tensor:
    """The right side; the power of g_j and the factors of mμ_g² and ⟨g, ŷ⟩² are for its misprints."""
    g = unit.g
    mean = bound**2 if mean is None else mean
    last = bound**2 * (2 - float(unit.r)) / unit.n if last is None else last
    largest = (bound**2 * g.square().sum()) ** power
    return (unit.gamma / unit.s) ** 2 * (largest - mean * len(g) * g.mean() ** 2 - last * (g @ unit.normalized) ** 2)


def feasible(unit: Unit, bound: float, k: Tensor) -> Unit:
    """The unit with the input cŵᵀ + SK, which has the same y for any k, and ‖X‖ ≤ λ where ‖k‖ ≤ 1."""
    direction = unit.w / unit.w.norm()
    k = k - torch.outer(k @ direction, direction)
    return replace(unit, x=torch.outer(unit.y / unit.w.norm(), direction) + root(unit, bound) @ k)


def maximiser(unit: Unit, bound: float) -> Unit:
    """The unit with the input at which the maximum is attained."""
    image = root(unit, bound) @ unit.v
    return feasible(unit, bound, torch.outer(image / image.norm(), across(unit.w)))


def root(unit: Unit, bound: float) -> Tensor:
    """S = (λ²I − ccᵀ)^½, (m, m): λ across c, and √(λ² − ‖c‖²) along it."""
    c = unit.y / unit.w.norm()
    less = (bound - (bound**2 - c @ c).clamp(min=0).sqrt()) / (c @ c)
    return bound * torch.eye(len(c), dtype=c.dtype) - less * torch.outer(c, c)


def across(w: Tensor) -> Tensor:
    """A unit vector orthogonal to w, which has two entries or more."""
    other = torch.zeros_like(w)
    other[w.abs().argmin()] = 1.0
    other = other - w * (other @ w) / (w @ w)
    return other / other.norm()


def error(unit: Unit, bound: float, k: Tensor) -> float:
    """The error at the maximiser, or by how much the input made of `k` exceeds the maximum if that is more."""
    largest, size = right(unit, bound), bound**2 * unit.size()
    attained = relative_error(left(maximiser(unit, bound)), largest, size)
    return max(attained, excess(left(feasible(unit, bound, k)), largest, size))


def draw(generator: Generator, *, d: int | None = None, plain: bool = False) -> tuple[Unit, float]:
    """A unit, and a λ of 1 to 4 times the least that its y takes; `plain` has ε = 0 and the biased variance."""
    eps, unbiased = (0.0, False) if plain else (None, None)
    unit = random_unit(generator, d=d, eps=eps, unbiased=unbiased)
    scale, room = torch.rand(2, generator=generator).tolist()
    unit = replace(unit, x=unit.x * 10 ** (1 - 3 * scale))  # λ from about 0.01 to 100
    return unit, float(unit.y.norm() / unit.w.norm()) * (1 + 3 * room)


def contraction(generator: Generator, unit: Unit) -> Tensor:
    """A random matrix of the input's shape with ‖k‖ = 1."""
    k = torch.randn(unit.x.shape, generator=generator, dtype=torch.float64)
    return k / torch.linalg.matrix_norm(k, 2)


def _case(generator: Generator) -> float:
    unit, bound = draw(generator)
    return error(unit, bound, contraction(generator, unit))


def _misprint(generator: Generator, printed: Callable[[Unit, float], Tensor]) -> float:
    """By how much the attained maximum exceeds what is printed."""
    unit, bound = draw(generator, plain=True)
    return excess(left(maximiser(unit, bound)), printed(unit, bound), bound**2 * unit.size())


def _moving(generator: Generator) -> float:
    """By how much an X within ‖X‖ ≤ λ whose y is ten times smaller exceeds it."""
    unit, bound = draw(generator, plain=True)
    small = maximiser(replace(unit, x=unit.x / 10), bound)
    return excess(left(small), right(unit, bound), bound**2 * unit.size())


def _one_input(generator: Generator) -> float:
    """The error for d = 1, where y leaves one X only."""
    unit, bound = draw(generator, d=1, plain=True)
    return relative_error(left(unit), right(unit, bound), bound**2 * unit.size())


THEOREM = Theorem(
    hypothesis="‖X‖ ≤ λ and XW = y, so that g, ŷ and σ stay; λ ≥ ‖y‖/‖W‖, two inputs or more",
    printed="max ‖∇_W L̂‖² ≤ (γ²/σ²) (g_j² − mμ_g² − λ²⟨g, ŷ⟩²),  g_j = max ‖∇_W L‖² over ‖X‖ ≤ λ",
    true="max ‖∇_W L̂‖² = (γ²/s²) (g_j − λ²mμ_g² − (λ²(2 − r)/n)⟨g, ŷ⟩²),  g_j = λ²‖g‖²; attained",
    case=_case,
    breaks={
        "g_j² for g_j, as printed": lambda generator: _misprint(
            generator, lambda unit, bound: right(unit, bound, power=2)
        ),
        "mμ_g² without λ², as printed": lambda generator: _misprint(
            generator, lambda unit, bound: right(unit, bound, mean=1.0)
        ),
        "λ² for λ²/m, as printed": lambda generator: _misprint(
            generator, lambda unit, bound: right(unit, bound, last=bound**2)
        ),
        "all X with ‖X‖ ≤ λ, as printed": _moving,
        "one input": _one_input,
    },
)
