"""The noise scale of the theory, on a regression whose gradients, Hessians and covariances are known."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clinometer import Objective
from clinometer.measures.curvature_noise import curvature_noise

CURVATURE = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=torch.float64)  # C, the covariance of inputs, and the Hessian
OFF = torch.tensor([0.5, -0.3, 0.4, 1.0], dtype=torch.float64)  # Δ, from the solution to the weights
DEVIATION = 1.5  # σ, of what the targets add

# Gaussian inputs x and L = ½ (x·Δ − ε)²: H = C, G = CΔ, and by Wick's theorem Σ = C (ΔᵀCΔ + σ²) + C Δ Δᵀ C.
SIGNAL = float((CURVATURE**3 * OFF**2).sum())
NOISE = float((CURVATURE**2).sum() * ((CURVATURE * OFF**2).sum() + DEVIATION**2)) + SIGNAL


def drawn(sizes: list[int], generator: torch.Generator) -> Objective:
    model = nn.Linear(4, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(OFF)

    def loss_fn(m: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
        return (m(batch[0])[:, 0] - batch[1]).square().mean() / 2

    def one(count: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, 4, generator=generator, dtype=torch.float64) * CURVATURE.sqrt()
        return x, DEVIATION * torch.randn(count, generator=generator, dtype=torch.float64)

    objective = Objective(model, loss_fn, one(sizes[0]))
    for size in sizes[1:]:
        objective = objective.with_batch(one(size))
    return objective


@pytest.mark.parametrize("sizes", [[8, 8, 8], [6, 12, 9, 7]])
def test_both_estimates_are_unbiased(sizes: list[int]) -> None:
    """The truth is in closed form, for inputs that gradients and Hessians share; seeds are fixed."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(250):
        objective = drawn(sizes, generator)
        found.append(curvature_noise(objective, objective.here()))
    for values, truth in (([each.signal for each in found], SIGNAL), ([each.noise for each in found], NOISE)):
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - truth) < 3.5 * error
        assert error < 0.15 * truth, "or a bias could not be seen"


def test_hessians_of_the_same_samples_would_be_biased() -> None:
    """Why it takes three batches: gᵀHg with both of one is far above GᵀHG + tr(HΣ)/b, its value if independent."""
    generator = torch.Generator().manual_seed(1)
    values = []
    for _ in range(250):
        objective = drawn([8], generator)
        gradient = objective.loss_and_grad(objective.here())[1]["weight"]
        product = objective.hvp(objective.here(), {"weight": gradient})["weight"]
        values.append(float((gradient * product).sum()))
    error = np.std(values) / math.sqrt(len(values))
    assert np.mean(values) > SIGNAL + NOISE / 8 + 4 * error


def test_what_cannot_be_told() -> None:
    """Two batches are refused in words; sizes that are unknown make the noise NaN, and leave the signal."""
    generator = torch.Generator().manual_seed(2)
    two, three = drawn([4, 4], generator), drawn([4, 4, 4], generator)
    with pytest.raises(ValueError, match=r"expected 3 batches or more, .* found 2"):
        curvature_noise(two, two.here())
    found = curvature_noise(three, three.here(), size=lambda _: math.nan)
    assert math.isnan(found.noise)
    assert found.signal == curvature_noise(three, three.here()).signal
