"""Where the gradient turns by 90°, against closed forms: 1/(ηλ) on quadratics."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from clinometer import Objective
from clinometer.measures.turning_step import turning_step


def parabola(curvature: float) -> Objective:
    model = nn.Linear(1, 1, bias=False).double()
    return Objective(model, lambda m, _: curvature * m.weight.square().sum() / 2, None)


def at(value: float) -> dict[str, Tensor]:
    return {"weight": torch.tensor([[value]], dtype=torch.float64)}


@settings(max_examples=60, deadline=None)
@given(curvature=st.floats(1e-2, 1e2), lr=st.floats(1e-3, 1.0), precision=st.floats(0.01, 0.5))
def test_a_parabola(curvature: float, lr: float, precision: float) -> None:
    """Its gradient is zero at the bottom, where a step of the rate 1/λ ends."""
    found = turning_step(parabola(curvature), at(1.0), at(-lr * curvature), precision=precision)
    truth = 1 / (lr * curvature)
    if truth > 4096:
        assert found.multiple == math.inf
    elif 1 / 2048 < truth < 4000:
        assert found.multiple == pytest.approx(truth, rel=1e-6)
        assert found.evaluations <= 6


def test_a_gradient_that_only_grows_never_turns() -> None:
    """Uphill on a parabola, and along a straight line."""
    assert turning_step(parabola(1.0), at(1.0), at(0.1)).multiple == math.inf
    objective = Objective(nn.Linear(1, 1, bias=False), lambda m, _: m.weight.sum(), None)
    assert turning_step(objective, objective.here(), {"weight": torch.tensor([[-1.0]])}).multiple == math.inf


def test_one_block_alone() -> None:
    """L = a²/2 + 4b²/2 at (1, 1), along a: its own gradient is 1 − ηs, and the product with the whole 1 − ηs + 4²."""
    parameters = {name: torch.ones((), dtype=torch.float64) for name in "ab"}
    objective = Objective(params=parameters, loss_fn=lambda p, _: p["a"] ** 2 / 2 + 4 * p["b"] ** 2 / 2)
    here, step = objective.here(), {"a": torch.tensor(-0.1, dtype=torch.float64)}
    assert turning_step(objective, here, step, only=["a"]).multiple == pytest.approx(10)
    assert turning_step(objective, here, step).multiple == pytest.approx(170)


def test_no_step_no_gradient_and_no_finite_loss_have_no_number() -> None:
    """Zero learning rate, a minimum, and a run that has diverged."""
    for origin, step in ((1.0, 0.0), (0.0, 1.0), (math.inf, 1.0)):
        assert math.isnan(turning_step(parabola(1.0), at(origin), at(step)).multiple)


def test_bad_input() -> None:
    """Said in words."""
    with pytest.raises(ValueError, match=r"`precision` must lie in \(0, 1\); found 0"):
        turning_step(parabola(1.0), at(1.0), at(1.0), precision=0)
    with pytest.raises(ValueError, match="not a parameter of the origin"):
        turning_step(parabola(1.0), at(1.0), {"wieght": torch.zeros(1)})
