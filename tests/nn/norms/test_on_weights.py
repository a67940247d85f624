"""Norms on a layer's weight: what the weight becomes, its derivatives, and what it does not see."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from clinometer.nn.norms import apply_norm, norm_after
from clinometer.nn.norms.on_weights import fill_weight_
from clinometer.objective.plain_operations import PlainOperations

N, C = 6, 4


@given(st.sampled_from(["weight", "spectral", "weight_standardization"]), st.floats(0.01, 100.0), st.integers(0, 99))
def test_norms_on_weights_do_not_see_the_length_of_weights(name: str, factor: float, seed: int) -> None:
    """Ŵ has degree 0 in the directions that are trained: of each unit, or of all for the spectral norm."""
    torch.manual_seed(seed)
    layer = nn.Linear(5, C).double()
    options = {"eps": 0.0} if name == "weight_standardization" else {}
    network = apply_norm(layer, name, **options).double().eval()
    x = torch.randn(N, 5, dtype=torch.float64)
    before = network(x)
    with torch.no_grad():
        *_, direction = layer.parametrizations.weight.parameters()
        direction.mul_(factor)
    torch.testing.assert_close(network(x), before)


def test_weight_norm_spectral_norm_and_standardized_weights_by_their_definitions() -> None:
    """NumPy: lengths per unit, the largest singular value, mean and deviation per unit, of a convolution's weights."""
    torch.manual_seed(0)
    drawn = nn.Conv2d(3, C, 3).weight.detach().double()
    rows = drawn.flatten(1).numpy()
    expected = {
        "weight": rows,  # at the start its length is g
        "spectral": rows / np.linalg.svd(rows, compute_uv=False)[0],
        "weight_standardization": (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + 1e-5),
        "fixup": rows * 8 ** (-1 / 4),
    }
    options = {"spectral": {"n_power_iterations": 200}, "fixup": {"branches": 8, "depth": 3}}
    for name, wanted in expected.items():
        layer = nn.Conv2d(3, C, 3).double()
        norm_after(layer, name, **options.get(name, {}))
        layer.weight = drawn
        np.testing.assert_allclose(layer.weight.detach().flatten(1).numpy(), wanted, rtol=1e-6, err_msg=name)
    layer = nn.Conv2d(3, C, 3).double()
    norm_after(layer, "weight")
    with torch.no_grad():
        layer.parametrizations.weight.original0.fill_(3.0)
    np.testing.assert_allclose(np.linalg.norm(layer.weight.detach().flatten(1).numpy(), axis=1), 3.0)


@pytest.mark.parametrize("name", ["weight", "spectral", "weight_standardization", "fixup"])
def test_derivatives_of_norms_on_weights(name: str) -> None:
    """torch's gradcheck and gradgradcheck, in float64, of the layer and its norm as a function of all parameters.

    In evaluation, where the spectral norm's vectors stand still: its gradient takes them for constants.
    """
    torch.manual_seed(0)
    network = apply_norm(nn.Linear(3, 2), name).double().eval()
    parameters = dict(network.named_parameters())
    x = torch.randn(4, 3, dtype=torch.float64)

    def function(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(network, dict(zip(parameters, values, strict=True)), (x,))

    arguments = tuple(each.detach().clone().requires_grad_() for each in parameters.values())
    assert torch.autograd.gradcheck(function, arguments)
    with PlainOperations():  # as an Objective has it: torch's fused weight norm has a wrong second derivative
        assert torch.autograd.gradgradcheck(function, arguments)


def test_fixup_starts_a_branch_small_and_its_last_layer_at_nothing() -> None:
    """By hand: L^(−1/(2m − 2)) with L = 16 branches of m = 2 layers is 1/4; a last layer is 0, and free to train."""
    first, last = nn.Linear(3, 3), nn.Linear(3, 3)
    norm_after(first, "fixup", branches=16)
    norm = norm_after(last, "fixup", branches=16, last=True)
    nn.init.ones_(drawn := torch.empty(3, 3))
    first.weight = last.weight = drawn
    assert (first.weight == 1 / 4).all()
    assert not last.weight.any()
    norm(last(torch.ones(1, 3))).sum().backward()
    assert (last.parametrizations.weight.original.grad == 1).all()
    assert [p.shape for p in norm.parameters()] == [(), ()]
    state = {"parametrizations.weight.original": drawn, "bias": torch.zeros(3)}
    last.load_state_dict(state)
    assert (last.weight == 1).all()


@pytest.mark.parametrize("name", ["weight", "spectral", "weight_standardization"])
def test_an_initialisation_reaches_the_weight(name: str) -> None:
    """Two layers that differ in their first weights are one after the same initialisation.

    The tolerance is for the spectral norm, whose 15 power iterations start at the vectors of the old weight.
    """
    torch.manual_seed(0)
    drawn = torch.randn(C, 5)
    layers = [nn.Linear(5, C) for _ in range(2)]
    for layer in layers:
        norm_after(layer, name)
        fill_weight_(layer, lambda weight: weight.copy_(drawn))
    torch.testing.assert_close(layers[0].weight, layers[1].weight, rtol=1e-2, atol=1e-3)
