"""Hessian-vector products where easier ways to them fail."""

from collections.abc import Callable

import pytest
import torch
from models import batch, cross_entropy
from torch import Tensor, nn

from clinometer import Objective
from clinometer.objective.params import step


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))


def relative(found: dict[str, torch.Tensor], truth: dict[str, torch.Tensor]) -> float:
    gap = torch.cat([(found[name] - truth[name]).flatten() for name in truth]).norm()
    return float(gap / torch.cat([value.flatten() for value in truth.values()]).norm())


def test_float32_is_enough_along_random_directions() -> None:
    """The truth is float64. Differences of float32 gradients are off by several times the product."""
    single = Objective(network(), cross_entropy, batch())
    v = {name: torch.randn_like(value) for name, value in single.here().items()}
    x, y = batch()
    double = Objective(network().double(), cross_entropy, (x.double(), y))
    truth = double.hvp(double.here(), {name: value.double() for name, value in v.items()})
    assert relative(single.hvp(single.here(), v), truth) < 1e-4


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_is_differentiated_twice(backend: str) -> None:
    """The truth is the model uncompiled: what autograd compiled has no second derivative."""
    model = network()
    plain = Objective(model, cross_entropy, batch())
    v = {name: torch.randn_like(value) for name, value in plain.here().items()}
    compiled: nn.Module = torch.compile(model, backend=backend)
    compiled(batch()[0])
    objective = Objective(compiled, cross_entropy, batch())
    found = objective.hvp(objective.here(), {f"_orig_mod.{name}": value for name, value in v.items()})
    truth = plain.hvp(plain.here(), v)
    assert relative({name.removeprefix("_orig_mod."): value for name, value in found.items()}, truth) < 1e-5


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.project(x).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.parametrize("make", [Attention, lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)])
def test_attention_is_differentiated_twice(make: Callable[[], nn.Module]) -> None:
    """The truth is a difference of gradients in float64, which need no second derivative of attention's kernel."""
    torch.manual_seed(0)
    objective = Objective(make().double(), lambda m, x: m(x).square().mean(), torch.randn(2, 5, 8).double())
    here = objective.here()
    v = {name: torch.randn_like(value) for name, value in here.items()}
    ahead, behind = (objective.loss_and_grad(step(here, v, size))[1] for size in (1e-5, -1e-5))
    truth = {name: (ahead[name] - behind[name]) / 2e-5 for name in here}
    assert relative(objective.hvp(here, v), truth) < 1e-6


def test_ordinary_evaluations_keep_the_kernel_of_attention_that_training_uses() -> None:
    """The truth is the loop's own loss and gradient, bit for bit; the kernel of plain operations rounds otherwise."""
    torch.manual_seed(0)
    model, x = Attention(), torch.randn(2, 5, 8)
    objective = Objective(model, lambda m, x: m(x).square().mean(), x)
    before = torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled()
    objective.hvp(objective.here(), objective.here())
    assert (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.math_sdp_enabled()) == before
    loss, gradient = objective.loss_and_grad(objective.here())
    true = model(x).square().mean()
    true.backward()
    assert torch.equal(loss, true.detach())
    assert all(torch.equal(gradient[name], p.grad) for name, p in model.named_parameters() if p.grad is not None)
