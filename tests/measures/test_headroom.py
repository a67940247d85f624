"""Headroom against closed forms: on quadratics it is 2/(lr λ) for the loss and 1/(lr λ) for the angle."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from clinometer import Objective
from clinometer.measures.headroom import headroom


def parabola(curvature: float) -> Objective:
    model = nn.Linear(1, 1, bias=False).double()
    return Objective(model, lambda m, _: curvature * m.weight.square().sum() / 2, None)


def at(value: float) -> dict[str, torch.Tensor]:
    return {"weight": torch.tensor([[value]], dtype=torch.float64)}


@settings(max_examples=60, deadline=None)
@given(curvature=st.floats(1e-2, 1e2), lr=st.floats(1e-3, 1.0), precision=st.floats(0.01, 0.5))
def test_a_parabola(curvature: float, lr: float, precision: float) -> None:
    """The bracket's good end: at most the truth, and above it by no more than the precision below."""
    found = headroom(parabola(curvature), at(1.0), at(-lr * curvature), precision=precision)
    for value, truth in ((found.loss, 2 / (lr * curvature)), (found.angle, 1 / (lr * curvature))):
        if truth > 8192:
            assert value == math.inf
        elif 1 / 2048 < truth < 4096:
            assert truth / (1 + precision) * (1 - 1e-9) <= value <= truth * (1 + 1e-9)


def test_a_step_uphill_has_none() -> None:
    """No multiple of it makes the loss fall; the gradient only grows."""
    found = headroom(parabola(1.0), at(1.0), at(0.1))
    assert found.loss == 0.0
    assert found.angle == math.inf


def test_no_step_and_no_finite_loss_have_no_number() -> None:
    """Zero learning rate, or a run that has diverged."""
    assert math.isnan(headroom(parabola(1.0), at(1.0), at(0.0)).loss)
    assert math.isnan(headroom(parabola(1.0), at(math.inf), at(1.0)).loss)


def test_a_linear_loss_falls_for_ever() -> None:
    """Its gradient never turns."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: m.weight.sum(), None)
    found = headroom(objective, objective.here(), {"weight": torch.tensor([[-1.0]])})
    assert (found.loss, found.angle) == (math.inf, math.inf)


def test_where_it_looks_is_counted() -> None:
    """Every evaluation of the loss is counted once, the one at the start included, and both conditions share them."""
    calls = []
    model = nn.Linear(1, 1, bias=False).double()

    def loss_fn(m: nn.Module, _batch: None) -> torch.Tensor:
        calls.append(1)
        return 2 * m.weight.square().sum()

    found = headroom(Objective(model, loss_fn, None), at(1.0), at(-0.4))
    assert found.evaluations == len(calls) <= 14


def test_an_infinite_loss_does_not_fall() -> None:
    """Beyond 1 the loss is NaN: not a number below the start."""
    model = nn.Linear(1, 1, bias=False).double()
    objective = Objective(model, lambda m, _: -(1 - m.weight).sqrt().sum().log() * -1, None)
    found = headroom(objective, at(0.0), at(0.6), precision=0.05)
    assert found.loss <= 1 / 0.6


def test_bad_input() -> None:
    """Said before any evaluation."""
    with pytest.raises(ValueError, match=r"`precision` must lie in \(0, 1\); found 0"):
        headroom(parabola(1.0), at(1.0), at(1.0), precision=0)
    with pytest.raises(ValueError, match="not a parameter of the origin"):
        headroom(parabola(1.0), at(1.0), {"wieght": torch.zeros(1)})
