"""Hessian-vector products where easier ways to them fail."""

import pytest
import torch
from models import batch, cross_entropy
from torch import nn

from clinometer import Objective


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
