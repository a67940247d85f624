"""How gradient noise lies to the Hessian, and how it smooths the loss, beside isotropic noise of the same energy."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clinometer.measures.directions import gaussian
from clinometer.measures.eigenpairs import top_eigenpairs
from clinometer.measures.trace import trace
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, dot, norm, scale, step

TRACE_PRODUCTS = 16


@dataclass(frozen=True)
class Geometry:
    """Noise n with mean 0 and C = E nnᵀ about a point w, and the Hessian H there, of N parameters."""

    energy: float  # tr C = E‖n‖²
    share: float  # Σ qᵢᵀCqᵢ / tr C over the eigenvectors qᵢ of the k largest eigenvalues
    share_isotropic: float  # k/N, that of isotropic noise
    alignment: float  # A = N tr(HC) / (tr H tr C), 1 for isotropic noise; NaN where tr H is not known to be positive
    trace: float  # tr H
    trace_error: float  # its standard error
    smoothing: float  # E L(w + rn) − L(w), with r the reach
    predicted: float  # ½ r² tr(HC)
    smoothing_isotropic: float  # E L(w + rz) − L(w), for isotropic z of the same lengths
    sharpness: float  # the largest eigenvalue
    converged: int  # how many of the k eigenpairs have

    def row(self) -> dict[str, Any]:
        """Its numbers by name."""
        return dataclasses.asdict(self)


def geometry(objective: Objective, at: Point, noise: Sequence[Point], reach: float, k: int, seed: int = 0) -> Geometry:
    """Measure the noise of M workers against the Hessian of a loss.

        C = Σ nᵢnᵢᵀ / M,   A = N tr(HC) / (tr H tr C),   E L(w + rn) − L(w) ≈ ½ r² tr(HC)

    The loss should be one of other samples than the noise: with the same, each worker's noise would be held against a
    Hessian that it has a part in. The smoothing is exact over the M workers; as Σ nᵢ = 0 it has no linear term. That of
    isotropic noise takes as many draws, each with both signs, so that there is none either.

    Cost: top-k search, 16 products for the trace, M more, and 3 M + 1 forward passes. Memory: k eigenvectors.

    Args:
        objective: L.
        at: w.
        noise: nᵢ, of mean zero.
        reach: r, such as scale times learning rate.
        k: How many eigenvectors.
        seed: Of isotropic draws and of the trace.
    """
    count, size = len(noise), sum(value.numel() for value in at.values())
    lengths = [float(norm(each)) for each in noise]
    energy = sum(length**2 for length in lengths) / count
    found = top_eigenpairs(objective, at, k)
    on_top = sum(float(dot(vector, each)) ** 2 for vector in found.vectors for each in noise) / count
    traced = trace(objective, at, products=TRACE_PRODUCTS, seed=seed)
    with objective.isolated(), objective.linearized(at) as product:
        curvature = sum(float(dot(each, product(each))) for each in noise) / count
    positive = traced.value > 2 * traced.error and energy > 0
    return Geometry(
        energy,
        on_top / energy if found.vectors and energy > 0 else math.nan,
        k / size,
        size * curvature / (traced.value * energy) if positive else math.nan,
        traced.value,
        traced.error,
        _rise(objective, at, noise, reach),
        reach**2 * curvature / 2,
        _rise(objective, at, _isotropic(at, lengths, seed), reach),
        float(found.values[0]),
        int(found.converged.sum()),
    )


def _isotropic(at: Point, lengths: Sequence[float], seed: int) -> list[Point]:
    """A Gaussian draw of each length, with either sign."""
    drawn = [gaussian(at, seed * len(lengths) + place) for place in range(len(lengths))]
    sized = [scale(each, length / norm(each)) for each, length in zip(drawn, lengths, strict=True)]
    return [scale(each, sign) for each in sized for sign in (1.0, -1.0)]


def _rise(objective: Objective, at: Point, noise: Sequence[Point], reach: float) -> float:
    """E L(w + rn) − L(w)."""
    with objective.isolated():
        start = float(objective.loss(at))
        return sum(float(objective.loss(step(at, each, reach))) - start for each in noise) / len(noise)
