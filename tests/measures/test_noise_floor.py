"""The numerical noise floor."""

import math

import numpy as np
import pytest
import torch
from models import cross_entropy
from torch import nn

from clinometer import Objective, Recorder, every, noise_floor
from clinometer.measures.noise_floor import noise_floor as floor


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_on_a_quadratic_it_is_the_rounding_of_the_weights(dtype: torch.dtype) -> None:
    """Closed form: g = 2w, so the gap is 2‖x̃ − x‖, and ‖x̃ − x‖ = ε‖x‖ for weights that are powers of two."""
    model = nn.Linear(4, 4, bias=False).to(dtype)
    objective = Objective(model, lambda m, _: m.weight.square().sum(), None)
    at = {"weight": torch.full((4, 4), 2.0, dtype=dtype)}
    noise = floor(objective, at)
    # Up from a power of two the next number is ε away, down from it half as far: down by ε is exact, too.
    assert noise.distance == pytest.approx(8 * torch.finfo(dtype).eps, rel=1e-6)
    assert noise.grad_gap == pytest.approx(2 * noise.distance, rel=1e-6)


def test_autocast_is_off_unless_it_is_asked_for() -> None:
    """The truth is the loss in float64: float32 is near it, bfloat16's eight bits are not."""
    torch.manual_seed(0)
    model = nn.Linear(64, 64)
    x = torch.randn(32, 64)

    def loss_fn(m: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return m(batch).square().mean()

    exact = Objective(model.double(), lambda m, b: m(b).square().mean(), x.double())
    truth = float(exact.loss(exact.here()))
    model.float()
    fine, coarse = (Objective(model, loss_fn, x, precision=p) for p in ("float32", "training"))
    assert abs(float(fine.loss(fine.here())) - truth) < 1e-6 * truth
    assert abs(float(coarse.loss(coarse.here())) - truth) > 1e-5 * truth


def test_the_probe_has_the_three_fields() -> None:
    """As the measurement itself gives them at the same point."""
    model = nn.Linear(3, 1)
    x = torch.randn(5, 3)
    recorder = Recorder(model, lambda m, b: m(b).square().mean(), [noise_floor()], every(1))
    objective = Objective(model, lambda m, b: m(b).square().mean(), x)
    expected = floor(objective, objective.here())
    with recorder.step(x):
        pass
    found = recorder.read("noise_floor")
    assert [found[name][0] for name in ("loss", "grad_gap", "distance")] == list(vars(expected).values())


def test_the_loss_is_never_said_to_be_free_of_rounding() -> None:
    """The truth is the same float32 weights and data evaluated in float64: what float32 adds is its rounding.

    One draw left the loss as it was, to the last bit, in most such networks.
    """
    floors, errors = [], []
    for seed in range(30):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
        data = torch.randn(16, 8), torch.randint(3, (16,))
        objective = Objective(model, cross_entropy, data)
        noise = floor(objective, objective.here())
        loss = objective.loss(objective.here())
        exact = Objective(model.double(), cross_entropy, (data[0].double(), data[1]))
        floors.append(noise.loss)
        errors.append(abs(float(loss) - float(exact.loss(exact.here()))))
        half_unit = float(torch.nextafter(loss, loss + 1) - loss) / 2
        assert noise.loss >= half_unit > 0
    assert sum(error <= 3 * own for own, error in zip(floors, errors, strict=True)) >= 27
    assert float(np.median(floors)) < 10 * float(np.median(errors))


@pytest.mark.parametrize(("dtype", "loss", "unit"), [(torch.bfloat16, 3.0, 2**-6), (torch.float32, 1.0, 2**-23)])
def test_a_loss_that_no_draw_changes_has_half_a_unit_in_its_last_place(
    dtype: torch.dtype, loss: float, unit: float
) -> None:
    """Closed form: from 3 to the next bfloat16 it is 2⁻⁶, from 1 to the next float32 2⁻²³."""
    model = nn.Linear(1, 1, bias=False).to(dtype)
    objective = Objective(model, lambda m, _: (m.weight * 0).sum() + loss, None)
    assert floor(objective, {"weight": torch.ones(1, 1, dtype=dtype)}).loss == unit / 2


def test_a_loss_that_is_not_finite_has_no_floor() -> None:
    """Infinity has no next number, and the difference of two is no number."""
    model = nn.Linear(1, 1, bias=False)
    objective = Objective(model, lambda m, _: m.weight.sum() * torch.inf, None)
    assert math.isnan(floor(objective, {"weight": torch.ones(1, 1)}).loss)
