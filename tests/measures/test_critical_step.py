"""The critical step against closed forms, 2/(ηλ) on quadratics, against Hessian products and grids of losses."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import batch, cross_entropy, everything, quadratic
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective
from clinometer.measures.critical_step import critical_step
from clinometer.objective.params import dot, norm, scale, sub


def parabola(curvature: float) -> Objective:
    model = nn.Linear(1, 1, bias=False).double()
    return Objective(model, lambda m, _: curvature * m.weight.square().sum() / 2, None)


def at(value: float) -> dict[str, Tensor]:
    return {"weight": torch.tensor([[value]], dtype=torch.float64)}


@settings(max_examples=60, deadline=None)
@given(curvature=st.floats(1e-2, 1e2), lr=st.floats(1e-3, 1.0), precision=st.floats(0.01, 0.5), told=st.booleans())
def test_a_parabola(curvature: float, lr: float, precision: float, told: bool) -> None:
    """Gradient descent on λw²/2 raises the loss from the rate 2/λ on: the multiple is 2/(ηλ), the sharpness λ."""
    objective, truth = parabola(curvature), 2 / (lr * curvature)
    known = objective.loss_and_grad(at(1.0)) if told else (None, None)
    found = critical_step(
        objective, at(1.0), at(-lr * curvature), precision=precision, loss=known[0], gradient=known[1]
    )
    if truth > 4096:
        assert found.multiple == math.inf
    elif 1 / 2048 < truth < 4000:
        assert found.multiple == pytest.approx(truth, rel=1e-6)
        assert found.bracket[0] * (1 - 1e-9) <= truth <= found.bracket[1] * (1 + 1e-9)
        assert found.bracket[1] <= found.bracket[0] * (1 + precision)
        assert found.sharpness(lr) == pytest.approx(curvature, rel=1e-6)


def test_along_the_gradient_it_is_the_curvature_there() -> None:
    """gᵀHg/‖g‖² of a diagonal Hessian, by hand: (Σ λ³w²)/(Σ λ²w²)."""
    eigenvalues, start = [1.0, 4.0, 9.0], [3.0, -2.0, 1.0]
    objective = quadratic(eigenvalues, start)
    here = objective.here()
    loss, gradient = objective.loss_and_grad(here)
    found = critical_step(objective, here, scale(gradient, -0.01), loss=loss, gradient=gradient)
    truth = sum(e**3 * w**2 for e, w in zip(eigenvalues, start, strict=True)) / sum(
        e**2 * w**2 for e, w in zip(eigenvalues, start, strict=True)
    )
    assert found.sharpness(0.01) == pytest.approx(truth, rel=1e-6)
    assert found.slope == pytest.approx(-0.01 * float(norm(gradient)) ** 2)


def test_near_a_quadratic_it_is_twice_the_fall_over_the_curvature() -> None:
    """2⟨−g, d⟩/dᵀHd, with the Hessian product of a tanh network on a step so short that its third order is 1%."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = torch.randn(32, 4, dtype=torch.float64)
    y = model(x).detach() + 0.001 * torch.randn(32, 1, dtype=torch.float64)
    objective = Objective(model, lambda m, _: F.mse_loss(m(x), y), None)
    here = objective.here()
    loss, gradient = objective.loss_and_grad(here)
    step = scale(gradient, -0.01)
    truth = -2 * float(dot(gradient, step)) / float(dot(step, objective.hvp(here, step)))
    found = critical_step(objective, here, step, precision=0.01, loss=loss, gradient=gradient)
    assert found.multiple == pytest.approx(truth, rel=0.02)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(0.05, 20), size=st.floats(0.1, 10), seed=st.integers(0, 5))
def test_scaling(factor: float, size: float, seed: int) -> None:
    """A step c times as long has a multiple of 1/c, and so the same learning rate; a loss c times as large the same."""
    torch.manual_seed(seed)
    model, data = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4)).double(), batch(seed)
    inputs, labels = data[0].double(), data[1]

    def objective(times: float) -> Objective:
        return Objective(model, lambda m, _: times * F.cross_entropy(m(inputs), labels), None)

    here = objective(1.0).here()
    loss, gradient = objective(1.0).loss_and_grad(here)
    step = scale(gradient, -size)
    plain = critical_step(objective(1.0), here, step, loss=loss, gradient=gradient)
    longer = critical_step(objective(1.0), here, scale(step, factor), loss=loss, gradient=gradient)
    larger = critical_step(objective(factor), here, step)
    assert longer.multiple * factor == pytest.approx(plain.multiple, rel=0.1)
    assert larger.multiple == pytest.approx(plain.multiple, rel=0.1)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("told", [True, False])
def test_on_networks_it_is_what_a_fine_grid_of_losses_shows(optimizer: Any, told: bool) -> None:
    """The first of many sizes, 2% apart, at which the loss is not below its start: no search, no model of the loss."""
    model, data = everything(), batch()
    objective = Objective(model, cross_entropy, data)
    here, taken = objective.here(), optimizer(model.parameters(), lr=0.05)
    cross_entropy(model, data).backward()
    taken.step()
    step = sub(objective.here(), here)
    loss, gradient = objective.loss_and_grad(here)
    found = critical_step(objective, here, step, loss=loss, gradient=gradient if told else None)
    sizes = [0.05 * 1.02**count for count in range(400)]
    rises = next(s for s in sizes if not objective.loss({n: v + s * step[n] for n, v in here.items()}) < loss)
    assert rises / 1.03 / 1.1 <= found.multiple <= rises * 1.1


def test_a_step_uphill_has_none() -> None:
    """No multiple of it makes the loss fall: by its slope without an evaluation, and without one by trying."""
    gradient = parabola(1.0).loss_and_grad(at(1.0))[1]
    told = critical_step(parabola(1.0), at(1.0), at(0.1), loss=torch.tensor(0.5), gradient=gradient)
    assert (told.multiple, told.evaluations) == (0.0, 0)
    assert told.slope == pytest.approx(0.1)
    assert math.isnan(told.sharpness(0.1)), "the direction is at fault, and no curvature"
    assert critical_step(parabola(1.0), at(1.0), at(0.1)).multiple == 0.0


def test_no_step_and_no_finite_loss_have_no_number() -> None:
    """Zero learning rate, or a run that has diverged."""
    assert math.isnan(critical_step(parabola(1.0), at(1.0), at(0.0)).multiple)
    assert math.isnan(critical_step(parabola(1.0), at(math.inf), at(1.0)).multiple)


def test_a_linear_loss_falls_for_ever() -> None:
    """Its sharpness is 0."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: m.weight.sum(), None)
    found = critical_step(objective, objective.here(), {"weight": torch.tensor([[-1.0]])})
    assert (found.multiple, found.sharpness(0.1)) == (math.inf, 0.0)


@pytest.mark.parametrize("told", [True, False])
def test_a_loss_that_does_not_depend_on_what_moves_has_no_number(told: bool) -> None:
    """A gradient of zero, and a loss that stays the same to its last digit: neither stable nor unstable."""
    model = nn.Linear(1, 1).double()
    objective = Objective(model, lambda m, _: m.weight.square().sum(), None)
    step = {"bias": torch.ones(1, dtype=torch.float64)}
    gradient = objective.loss_and_grad(objective.here())[1] if told else None
    assert math.isnan(critical_step(objective, objective.here(), step, gradient=gradient).multiple)


def test_an_infinite_loss_does_not_fall() -> None:
    """Beyond 1 the loss is NaN: not a number below the start."""
    model = nn.Linear(1, 1, bias=False).double()
    objective = Objective(model, lambda m, _: -(1 - m.weight).sqrt().sum().log() * -1, None)
    found = critical_step(objective, at(0.0), at(0.6), precision=0.05)
    assert found.bracket[0] <= 1 / 0.6 <= found.bracket[1]
    assert found.multiple == found.bracket[0], "there is nothing to interpolate with"


@pytest.mark.parametrize("lr", [1e-7, 1e-6, 1e-4])
def test_steps_that_float32_hardly_sees(lr: float) -> None:
    """1000 + λw²/2 has digits of 6e-5 in float32 and falls by λ²η: 2/(ηλ) is found at multiples where that is seen."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: 1000 + 1000 * m.weight.square().sum() / 2, None)
    origin = {"weight": torch.tensor([[1.0]])}
    loss, gradient = objective.loss_and_grad(origin)
    found = critical_step(objective, origin, scale(gradient, -lr), loss=loss, gradient=gradient)
    assert found.multiple == (math.inf if 2 / lr / 1000 > 4096 else pytest.approx(2 / lr / 1000, rel=0.02))


def test_a_fall_that_rounding_hides_has_no_number() -> None:
    """10⁶ + λw²/2 falls by 5e-4 at most, below a hundredth of a digit: it is not known to fall, nor to rise."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: 1e6 + 1e-3 * m.weight.square().sum() / 2, None)
    origin = {"weight": torch.tensor([[1.0]])}
    loss, gradient = objective.loss_and_grad(origin)
    assert math.isnan(critical_step(objective, origin, scale(gradient, -1.0), loss=loss, gradient=gradient).multiple)


class Watched(torch.autograd.Function):
    """The identity, which counts how often it is differentiated."""

    passes = 0

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_ctx: Any, *gradients: Any) -> Any:
        Watched.passes += 1
        return gradients[0]


def test_forward_passes_alone_and_each_counted() -> None:
    """By a function in the loss that sees both: none is differentiated, and each evaluation is counted once."""
    calls: list[bool] = []
    model = nn.Linear(1, 1, bias=False).double()

    def loss_fn(m: nn.Module, _batch: None) -> Tensor:
        calls.append(True)
        return Watched.apply(2 * m.weight.square().sum())

    objective = Objective(model, loss_fn, None)
    loss, gradient = objective.loss_and_grad(at(1.0))
    calls.clear()
    Watched.passes = 0
    found = critical_step(objective, at(1.0), at(-0.4))
    assert found.evaluations == len(calls) <= 6
    assert Watched.passes == 0
    calls.clear()
    assert critical_step(objective, at(1.0), at(-0.4), loss=loss, gradient=gradient).evaluations == len(calls) <= 4


def test_bad_input() -> None:
    """Said in words."""
    with pytest.raises(ValueError, match=r"`precision` must lie in \(0, 1\); found 0"):
        critical_step(parabola(1.0), at(1.0), at(1.0), precision=0)
    with pytest.raises(ValueError, match="not a parameter of the origin"):
        critical_step(parabola(1.0), at(1.0), {"wieght": torch.zeros(1)})
