"""Lemma 4.5: BatchNorm brings an optimum closer to where training starts.

Hypothesis: ⟨W0, W*⟩ > 0; ε = 0; and W* is an optimum of both networks, as it is where the layer has a bias and γ = σ,
β = μ at W* (Observation 4.3).
Left side: ‖W0 − Ŵ*‖² with Ŵ* the optimum of the BatchNorm network on the ray of W* that is nearest to W0.
Right side: ‖W0 − W*‖² − (‖W*‖² − ⟨W*, W0⟩)²/‖W*‖².

With a pencil: at ε = 0, ŷ is the same for W* and kW*, k > 0, so all of the ray are optima. The nearest to W0 is its
projection, k = ⟨W*, W0⟩/‖W*‖², and ‖W0 − kW*‖² = ‖W0‖² − k²‖W*‖², from which the right side follows. So it is an
equality on that ray, printed as "≤" since an optimum of another ray may be nearer.

Where the print misleads: kW* is an optimum for k > 0 only, since ŷ changes its sign with k. With ε > 0 the ray is not
flat. And without a bias W* is in general no optimum of the BatchNorm network at all.
"""

import math
from dataclasses import replace

import torch
from torch import Generator, Tensor

from clinometer.papers.santurkar2018.observation_4_3 import at_minimum, configured
from clinometer.papers.santurkar2018.unit import LARGEST, Unit, gradient, random_unit
from clinometer.studies.theorems import Theorem, relative_error


def nearest(optimum: Tensor, start: Tensor) -> Tensor:
    """The point of the line through W* that is nearest to W0, by least squares."""
    return optimum * torch.linalg.lstsq(optimum[:, None], start[:, None]).solution[0, 0]


def left(optimum: Tensor, start: Tensor) -> Tensor:
    """‖W0 − Ŵ*‖²."""
    return (start - nearest(optimum, start)).square().sum()


def right(optimum: Tensor, start: Tensor) -> Tensor:
    """‖W0 − W*‖² − (‖W*‖² − ⟨W*, W0⟩)²/‖W*‖²."""
    norm = optimum.square().sum()
    return (start - optimum).square().sum() - (norm - optimum @ start) ** 2 / norm


def distance_error(optimum: Tensor, start: Tensor) -> float:
    """|left − right| over ‖W0‖² + ‖W*‖²."""
    size = start.square().sum() + optimum.square().sum()
    return relative_error(left(optimum, start), right(optimum, start), size)


def optimum_error(unit: Unit, start: Tensor) -> float:
    """How far kW* is from an optimum of the BatchNorm network as good as W*, in its loss and in its gradient."""
    there = replace(unit, w=nearest(unit.w, start))
    loss = relative_error(unit.loss(there.z), unit.loss(unit.z), unit.loss(unit.z))
    slope = gradient(there.loss_of, there.w)
    size = torch.linalg.matrix_norm(there.x, 2) * there.size().sqrt()
    return max(loss, relative_error(slope, torch.zeros_like(slope), size))


def draw(generator: Generator, *, bias: bool = True, eps: float = 0.0, side: int = 1) -> tuple[Unit, Tensor]:
    """A unit at an optimum W* of least squares, and a W0 on the given side of it."""
    unit = random_unit(generator, m=LARGEST, eps=eps)
    target, start = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (LARGEST, unit.x.shape[1]))
    found = configured(at_minimum(unit, target, bias=bias))
    slopes = found.w[: len(start)]  # BatchNorm has its own bias, and takes away the layer's
    return replace(found, x=unit.x, w=slopes), start * math.copysign(side, float(start @ slopes) * side)


def error(unit: Unit, start: Tensor) -> float:
    """The larger of `distance_error` and `optimum_error`."""
    return max(distance_error(unit.w, start), optimum_error(unit, start))


THEOREM = Theorem(
    hypothesis="⟨W0, W*⟩ > 0, ε = 0, and W* an optimum of both networks: a layer with a bias",
    printed="‖W0 − Ŵ*‖² ≤ ‖W0 − W*‖² − (‖W*‖² − ⟨W*, W0⟩)²/‖W*‖²  if ⟨W0, W*⟩ > 0",
    true="Ŵ* = kW*, k = ⟨W*, W0⟩/‖W*‖², is an optimum of the same loss, and ‖W0 − Ŵ*‖² equals the right side",
    case=lambda generator: error(*draw(generator)),
    breaks={
        "⟨W0, W*⟩ < 0": lambda generator: optimum_error(*draw(generator, side=-1)),
        "ε > 0": lambda generator: optimum_error(*draw(generator, eps=0.1)),
        "a layer without a bias": lambda generator: optimum_error(*draw(generator, bias=False)),
    },
)
