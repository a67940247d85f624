"""Theorem 4.1's terms on tensors and in networks: the truth is backpropagation through torch's own BatchNorm."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from clinometer import Objective
from clinometer.measures.batchnorm import batchnorms_of, gradient_terms


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20), n=st.integers(2, 9), channels=st.integers(1, 4), side=st.integers(1, 3))
def test_the_terms_add_up_to_what_backpropagation_passes(seed: int, n: int, channels: int, side: int) -> None:
    """∂L/∂y by autograd in float64, for a loss that is linear in z, so that g is chosen freely."""
    generator = torch.Generator().manual_seed(seed)
    y, g = (torch.randn(n, channels, side, side, generator=generator, dtype=torch.float64) for _ in range(2))
    gamma = torch.randn(channels, generator=generator, dtype=torch.float64)
    y.requires_grad_()
    z = F.batch_norm(y, None, None, gamma, None, training=True, eps=1e-2)
    (passed,) = torch.autograd.grad((z * g).sum(), y)
    terms = gradient_terms(y.detach(), g, gamma, eps=1e-2)
    # What is left may cancel to nothing against ‖g‖²: rounding is measured against the terms, not their difference.
    torch.testing.assert_close(
        terms.passed,
        passed.square().sum((0, 2, 3)),
        rtol=1e-10,
        atol=1e-12 * float((terms.scale * terms.gradient).max()),
    )


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 9, 1)
    ).double()


def test_signals_are_the_gradients_at_both_ends_of_a_module() -> None:
    """The network written out by hand, with leaves at BatchNorm's input and output; the ReLU after it is in place."""
    model, x = convolutional(), torch.randn(8, 2, 5, 5, dtype=torch.float64)
    objective = Objective(model, lambda m, b: m(b).square().sum(), x)
    running = model[1].running_mean.clone()
    signal = objective.signals(objective.here(), ["1"])["1"]
    assert torch.equal(model[1].running_mean, running)

    y = model[0](x).detach().requires_grad_()
    z = F.batch_norm(y, None, None, model[1].weight, model[1].bias, training=True)
    loss = model[4](torch.relu(z).flatten(1)).square().sum()
    by_y, by_z = torch.autograd.grad(loss, (y, z))
    torch.testing.assert_close(signal.input, y.detach())
    torch.testing.assert_close(signal.output, z.detach())
    torch.testing.assert_close(signal.input_gradient, by_y)
    torch.testing.assert_close(signal.output_gradient, by_z)


def test_the_input_gradient_is_that_through_the_module_alone() -> None:
    """In a residual block BatchNorm's input goes past it as well; by hand, with the skip cut off from the gradient."""
    torch.manual_seed(0)
    first, norm, last = nn.Linear(3, 4).double(), nn.BatchNorm1d(4).double(), nn.Linear(4, 1).double()
    model = nn.ModuleList([first, norm, last])
    x = torch.randn(8, 3, dtype=torch.float64)

    def loss_fn(m: nn.ModuleList, b: torch.Tensor) -> torch.Tensor:
        h = m[0](b)
        return m[2](h + torch.relu(m[1](h))).square().sum()

    objective = Objective(model, loss_fn, x)
    h = first(x).detach()
    y = h.clone().requires_grad_()
    (expected,) = torch.autograd.grad(last(h + torch.relu(norm(y))).square().sum(), y)
    torch.testing.assert_close(objective.signals(objective.here(), ["1"])["1"].input_gradient, expected)


def test_a_first_module_has_a_gradient_by_the_data() -> None:
    """L = Σ (γ ŷ)² is constant in y but for ε, and the data themselves require no gradient."""
    objective = Objective(nn.BatchNorm1d(2, eps=1.0), lambda m, b: m(b).square().sum(), torch.randn(8, 2))
    assert objective.signals(objective.here(), [""])[""].input_gradient.norm() > 0


def test_a_module_without_a_tensor_is_named() -> None:
    """It is there and takes no part: a mistake in a name must not pass for a gradient of zero."""
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "unused": nn.Linear(2, 1)})
    objective = Objective(model, lambda m, b: m["used"](b).sum(), torch.randn(3, 2))
    with pytest.raises(ValueError, match="'unused' took no part in the loss"):
        objective.signals(objective.here(), ["unused"])


def test_shapes_that_differ_are_refused() -> None:
    """A gradient of another shape would broadcast to nonsense."""
    with pytest.raises(ValueError, match=r"shape of `y`, \(4, 2\); found \(4, 1\)"):
        gradient_terms(torch.zeros(4, 2), torch.zeros(4, 1))


def test_only_layers_that_use_the_batch_count() -> None:
    """Frozen BatchNorm normalizes by running statistics: the gradient passes it unchanged but for a factor."""
    model = nn.Sequential(
        nn.BatchNorm1d(2),
        nn.BatchNorm1d(2).eval(),
        nn.BatchNorm1d(2, track_running_stats=False).eval(),
        nn.LayerNorm(2),
    )
    assert batchnorms_of(model) == ("0", "2")
