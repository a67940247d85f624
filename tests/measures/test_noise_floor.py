"""The numerical noise floor."""

import pytest
import torch
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
