"""Noise against the Hessian, where both are known."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor, nn

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point
from clinometer.papers.haruki2019.geometry import geometry

SIZE, WORKERS = 12, 5


class Quadratic(nn.Module):
    def __init__(self, hessian: Tensor) -> None:
        super().__init__()
        self.hessian = hessian
        self.w = nn.Parameter(torch.linspace(-1, 1, len(hessian), dtype=torch.float64))


def loss_fn(model: Quadratic, _: object) -> Tensor:
    return model.w @ model.hessian @ model.w / 2


def centred(seed: int = 0) -> Tensor:
    drawn = torch.randn(WORKERS, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return drawn - drawn.mean(0)


def spectrum(seed: int = 0) -> Tensor:
    """A Hessian with eigenvalues 10, 5, 3 and nine small ones, in random directions."""
    drawn = torch.randn(SIZE, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    basis = torch.linalg.qr(drawn).Q
    values = torch.cat([torch.tensor([10.0, 5.0, 3.0]), torch.linspace(0.1, 0.9, SIZE - 3)]).double()
    return basis @ torch.diag(values) @ basis.T


def points(noise: Tensor) -> list[Point]:
    return [{"w": each} for each in noise]


def measured(hessian: Tensor, noise: Tensor, reach: float = 0.3, k: int = 3):
    objective = Objective(Quadratic(hessian), loss_fn)
    return geometry(objective, objective.here(), points(noise), reach, k)


def test_against_scipys_eigenvectors() -> None:
    """SciPy's symmetric eigensolver gives the top eigenspace, and traces of matrix products are written out."""
    hessian, noise = spectrum(), centred()
    covariance = (noise.T @ noise / WORKERS).numpy()
    _, vectors = linalg.eigh(hessian.numpy(), subset_by_index=(SIZE - 3, SIZE - 1))
    found = measured(hessian, noise)
    energy, curvature = np.trace(covariance), np.trace(hessian.numpy() @ covariance)
    assert found.energy == pytest.approx(energy)
    # Eigenvalues are found to 1e-3, and the squares of eigenvectors' angles are as large as their relative errors.
    assert found.share == pytest.approx(np.trace(vectors.T @ covariance @ vectors) / energy, rel=5e-3)
    assert found.share_isotropic == 3 / SIZE
    assert found.alignment == pytest.approx(SIZE * curvature / (np.trace(hessian.numpy()) * energy), rel=1e-6)
    assert found.sharpness == pytest.approx(10.0, rel=1e-3)
    assert found.converged == 3


@pytest.mark.parametrize("reach", [0.01, 0.3, 2.0])
def test_a_quadratic_rises_by_half_the_trace(reach: float) -> None:
    """Closed form: on a quadratic E L(w + rn) − L(w) = ½ r² tr(HC) exactly, as the noise has mean zero."""
    found = measured(spectrum(), centred(), reach)
    assert found.smoothing == pytest.approx(found.predicted, rel=1e-9)


def test_isotropic_noise_has_the_energy_of_the_other() -> None:
    """Closed form: with H = I any noise of energy tr C lifts the loss by ½ r² tr C, and A is 1."""
    found = measured(torch.eye(SIZE, dtype=torch.float64), centred(), reach=0.3, k=1)
    assert found.smoothing_isotropic == pytest.approx(0.3**2 * found.energy / 2)
    assert found.smoothing == pytest.approx(found.smoothing_isotropic)
    assert found.alignment == pytest.approx(1.0)


def test_a_trace_that_is_not_positive_has_no_alignment() -> None:
    """A ratio to a trace of 0 or less would be a number without meaning."""
    found = measured(-spectrum(), centred())
    assert math.isnan(found.alignment)
    assert found.smoothing < 0


def test_noise_of_linear_regression_lies_along_its_hessian() -> None:
    """Known: least squares with residuals of variance σ² has C = σ² H, so that A = N tr H² / (tr H)².

    Exactly so where each input comes once with residual 1 and once with −1, and each is a worker of its own.
    """
    inputs = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    inputs *= torch.tensor([3.0, 1.0, 0.5, 0.2])
    hessian = inputs.T @ inputs / len(inputs)
    values = torch.linalg.eigvalsh(hessian)
    found = measured(hessian, torch.cat([inputs, -inputs]), k=1)
    assert found.alignment == pytest.approx(float(4 * values.square().sum() / values.sum() ** 2), rel=1e-6)
    assert found.share == pytest.approx(float(values[-1] / values.sum()), rel=5e-3)
