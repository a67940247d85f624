"""The largest stable rate of losses where it is known with pencil and paper."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import Quadratic
from torch import nn

from clinometer import LearningRates, suggest_lr

CURVATURES = [0.5, 1.0, 3.0, 8.0]


def quadratic(curvatures: list[float]) -> Quadratic:
    """½ wᵀHw with H diagonal, from a place where every direction counts."""
    start = torch.tensor([1.0, -0.7, 0.8, 1.2], dtype=torch.float64)
    return Quadratic(torch.diag(torch.tensor(curvatures, dtype=torch.float64)), start)


def loss_fn(model: nn.Module, _: None) -> torch.Tensor:
    return model()


def suggested(curvatures: list[float], **settings: float) -> LearningRates:
    model = quadratic(curvatures)
    return suggest_lr(model, loss_fn, itertools.repeat(None), lambda p: torch.optim.SGD(p, lr=0.1, **settings))


@given(scale=st.floats(1e-3, 1e3))
@settings(max_examples=8, deadline=None)
def test_gradient_descent_is_stable_up_to_two_over_the_curvature(scale: float) -> None:
    """2/λ_max is exact for gradient descent on a quadratic, whatever the unit of the loss."""
    found = suggested([scale * curvature for curvature in CURVATURES])
    truth = 2 / (8.0 * scale)
    assert found.low <= truth <= found.high
    assert truth / 1.5 <= found.largest <= truth * 1.5
    assert found.predictors["curvature"] == pytest.approx(truth, rel=0.02)  # 4 products in 4 dimensions: exact


def test_heavy_ball_is_stable_beyond_that() -> None:
    """2(1 + μ)/λ: the roots of z² − (1 + μ − ηλ) z + μ leave the unit circle there."""
    found = suggested(CURVATURES, momentum=0.9)
    truth = 2 * 1.9 / 8.0
    assert found.low <= truth <= found.high
    assert found.predictors["curvature"] == pytest.approx(truth, rel=0.02)


def test_curvature_of_adam_is_that_of_its_first_step() -> None:
    """By pencil: P = (1 − β₁)|g| and g = Hw, so P⁻¹H has the eigenvalues 1/((1 − β₁)|wᵢ|), against 38."""
    model = quadratic(CURVATURES)
    found = suggest_lr(model, loss_fn, itertools.repeat(None), lambda p: torch.optim.Adam(p, lr=1e-3, eps=1e-12))
    assert found.predictors["curvature"] == pytest.approx(38 * 0.1 * 0.7, rel=0.02)


def test_the_rate_of_a_linear_loss_cannot_be_told() -> None:
    """A linear loss falls at any rate: there is no largest one, and a number would be made up."""
    model = nn.Linear(3, 1)
    found = suggest_lr(model, lambda m, x: m(x).mean(), itertools.repeat(torch.ones(4, 3)), torch.optim.SGD)
    assert found.reason
    assert math.isnan(found.largest)
    assert math.isnan(found.suggested)
    assert "cannot tell" in str(found)
