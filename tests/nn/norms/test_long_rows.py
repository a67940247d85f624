"""Norms that take another way where a unit of a sample is a long row in memory: the formula and both derivatives."""

import numpy as np
import pytest
import torch
from torch import nn

from clinometer.nn.norms import NORMS
from clinometer.nn.norms.per_unit import in_long_rows

NAMES = ("graph", "filter_response", "l1", "l2", "linf", "l1_sample", "l2_sample", "linf_sample")


def sample(*shape: int) -> torch.Tensor:
    return 1.5 * torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.3


def build(name: str, units: int, dims: int) -> nn.Module:
    """A row in float64, its parameters drawn so that none is a 0 or a 1 that would hide it."""
    norm = NORMS[name](units, dims).double()
    generator = torch.Generator().manual_seed(1)
    for parameter in norm.parameters():
        parameter.data.copy_(torch.rand(parameter.shape, generator=generator, dtype=torch.float64) + 0.5)
    return norm


@pytest.mark.parametrize("name", NAMES)
def test_the_formula(name: str) -> None:
    """NumPy in float64, slice by slice, from the formulas that docs/norms.md gives, of the papers named there."""
    y, norm = sample(3, 4, 16, 9), build(name, 4, 2)
    assert in_long_rows(y)
    p = {key: value.detach().numpy().copy() for key, value in norm.state_dict().items()}
    values = y.numpy()
    expected = np.empty_like(values)
    for n, c in np.ndindex(3, 4):
        if name == "graph":
            z = values[n, c] - p["mean_scale"][c] * values[n, c].mean()
            hat = z / np.sqrt((z**2).mean() + 1e-5)
        elif name == "filter_response":
            hat = values[n, c] / np.sqrt((values[n, c] ** 2).mean() + 1e-6)
        else:
            size = np.abs(values[n] if name.endswith("_sample") else values[:, c])
            scale = {"l1": size.mean(), "l2": np.sqrt((size**2).mean()), "linf": size.max()}[
                name.removesuffix("_sample")
            ]
            hat = (values[n, c] - values[:, c].mean()) / (scale + 1e-5)
        expected[n, c] = p["weight"][c] * hat + p["bias"][c]
        if "threshold" in p:
            expected[n, c] = np.maximum(expected[n, c], p["threshold"][c])
    np.testing.assert_allclose(norm(y).detach().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_agree_with_finite_differences(name: str) -> None:
    """torch's gradcheck and gradgradcheck compare with central differences in float64, for input and parameters.

    The fast mode compares products with random vectors, of all entries at once.
    """
    torch.manual_seed(0)
    norm = build(name, 3, 1)
    buffers, parameters = dict(norm.named_buffers()), dict(norm.named_parameters())

    def function(y: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(norm, dict(zip(parameters, values, strict=True)) | buffers, (y,))

    y = sample(2, 3, 128)
    assert in_long_rows(y)
    arguments = tuple(each.detach().clone().requires_grad_() for each in (y, *parameters.values()))
    assert torch.autograd.gradcheck(function, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_layout_in_memory_changes_no_value(name: str) -> None:
    """Channels-last tensors go the plain way, by other operations, and stay channels-last; an empty batch goes too."""
    y, norm = sample(3, 4, 12, 12), build(name, 4, 2)
    other = norm(y.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(norm(y), other)
    assert other.is_contiguous(memory_format=torch.channels_last)
    assert norm.eval()(y[:0]).shape == (0, 4, 12, 12)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_each_sample(name: str) -> None:
    """`torch.func` maps the gradient over samples; autograd, one sample after another, is the truth."""
    y, norm = sample(3, 4, 12, 12), build(name, 4, 2).eval()

    def loss(one: torch.Tensor) -> torch.Tensor:
        return norm(one[None]).pow(3).sum()

    each = [torch.autograd.grad(loss(one), one)[0] for one in y.detach().requires_grad_().unbind()]
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(y), torch.stack(each))
