"""Losses that can be differentiated once but not twice are refused by name; torch leaves some of them out silently."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective
from clinometer.objective.params import norm, scale, step, sub


class Kernel(torch.autograd.Function):
    """x², whose backward pass is out of autograd's sight, as a fused kernel's is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        with torch.no_grad():
            return 2 * ctx.saved_tensors[0] * grads[0]


class Once(Kernel):
    """The same, as torch advises to mark it."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * grads[0]


class FusedLoss(Kernel):
    """Σx², whose gradient is computed in the forward pass, as fused cross-entropies do."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(2 * x)
        return x.square().sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return ctx.saved_tensors[0] * grads[0]


class AuxiliaryLoss(torch.autograd.Function):
    """Adds the gradient of a second loss in the backward pass, as routers of experts do: no derivative of anything."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor, _auxiliary: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        return grads[0], torch.ones((), dtype=grads[0].dtype)


class Differentiable(Kernel):
    """x², with a backward pass of operations that autograd sees."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * grads[0]


class Passed(torch.autograd.Function):
    """x, as functions that exchange between devices leave it."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


def objective(loss: Callable[[Tensor], Any]) -> Objective:
    w = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Objective(params={"w": w}, loss_fn=lambda params, _: loss(params["w"]))


def error(found: Objective) -> float:
    """Of a product, against a central difference of gradients in float64, which is good to about 1e-9."""
    here = found.here()
    v = {name: torch.randn(value.shape, dtype=value.dtype) for name, value in here.items()}
    ahead, behind = (found.loss_and_grad(step(here, v, size))[1] for size in (1e-5, -1e-5))
    truth = scale(sub(ahead, behind), 1 / 2e-5)
    with found.linearized(here) as product:
        return float(norm(sub(product(v), truth)) / norm(truth))


def direction() -> dict[str, Tensor]:
    return {"w": torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)}


Y = torch.arange(12.0, dtype=torch.float64).view(4, 3)
ONCE: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "cdist": (lambda w: torch.cdist(w, Y).sum(), "'_cdist_backward'"),
    "pdist": (lambda w: F.pdist(w).square().sum(), "'_pdist_backward'"),
    "ctc": (
        lambda w: F.ctc_loss(w.log_softmax(-1)[:, None], torch.tensor([[1, 2]]), torch.tensor([5]), torch.tensor([2])),
        "'_ctc_loss_backward'",
    ),
    "margin": (lambda w: F.multi_margin_loss(w, torch.tensor([0, 1, 2, 0, 1]), p=2), "'multi_margin_loss_backward'"),
    "bags": (lambda w: F.embedding_bag(torch.tensor([[0, 1]]), w).square().sum(), "'_embedding_bag_backward'"),
    "gamma": (lambda w: torch.distributions.Gamma(w.exp(), 1.0).rsample().sum(), "'_standard_gamma_grad'"),
    "Dirichlet": (lambda w: torch.distributions.Dirichlet(w.exp()).rsample().square().sum(), "'_Dirichlet'"),
    "a kernel": (lambda w: Kernel.apply(w).square().sum(), "'Kernel'"),
    "a kernel at the end": (lambda w: Kernel.apply(w).sum(), "'Kernel'"),
    "once_differentiable": (lambda w: Once.apply(w).square().sum(), "'Once'"),
    "a fused loss": (lambda w: FusedLoss.apply(w), "'FusedLoss'"),
    "a fused loss, averaged": (lambda w: FusedLoss.apply(w) / 2, "'FusedLoss'"),
    "an auxiliary loss": (lambda w: AuxiliaryLoss.apply(w**3, w.pow(4).sum()).square().sum(), "'AuxiliaryLoss'"),
}


@pytest.mark.parametrize("name", ONCE)
def test_an_operation_without_second_derivative_is_refused_by_name(name: str) -> None:
    """The gradient is torch's own; of the functions here torch itself returns a product that lacks their share."""
    loss, operation = ONCE[name]
    found = objective(loss)
    here = found.here()
    found.loss_and_grad(here)
    said = rf"no second derivative.*{operation}.*Compare gradients at two points instead: walk"
    with pytest.raises(ValueError, match=said):
        found.hvp(here, direction())
    with pytest.raises(ValueError, match=said), found.linearized(here) as product:
        product(direction())


TWICE: dict[str, Callable[[Tensor], Any]] = {
    "a function of differentiable operations": lambda w: Differentiable.apply(w).square().sum(),
    "one that passes gradients on": lambda w: Passed.apply(w.pow(3)).square().sum(),
    "one at the end": lambda w: Passed.apply(w.pow(3)).sum(),
    "grid_sample": lambda w: (
        F.grid_sample(w[None, None], w[None, :4, :2].tanh()[None], align_corners=False).square().sum()
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_functions_that_have_one_are_not_refused(name: str) -> None:
    """The truth is a central difference of gradients in float64. Torch 2.6 has none of grid_sample, and is believed."""
    w = objective(TWICE[name]).here()["w"].requires_grad_()
    (gradient,) = torch.autograd.grad(TWICE[name](w), w, create_graph=True)
    try:
        torch.autograd.grad(gradient.sum(), w)
    except RuntimeError as missing:
        operation = re.search(r"aten::(\w+)", str(missing))
        assert operation
        with pytest.raises(ValueError, match=f"torch has none of '{operation[1]}'"):
            error(objective(TWICE[name]))
        return
    assert error(objective(TWICE[name])) < 1e-7


def test_what_a_product_rests_on_is_noted() -> None:
    """A backward pass may be no derivative, as a straight-through estimator's; only its author knows."""
    found = objective(lambda w: Passed.apply(w.pow(3)).square().sum())
    with found.linearized(found.here()) as product:
        assert product.notes == ("products take the backward pass of 'Passed' for the derivative of its forward pass",)
    plain = objective(lambda w: w.pow(3).sum())
    with plain.linearized(plain.here()) as product:
        assert product.notes == ()


def penalty(layer: nn.Module) -> Objective:
    """A gradient penalty through a norm: its Hessian is made of third derivatives."""

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        return torch.autograd.grad(model(x).square().sum(), x, create_graph=True)[0].square().sum()

    torch.manual_seed(0)
    x = torch.randn(6, 4, dtype=torch.float64)
    return Objective(nn.Sequential(nn.Linear(4, 6), layer, nn.Tanh(), nn.Linear(6, 2)).double(), loss, x)


@pytest.mark.parametrize("layer", [nn.LayerNorm(6), nn.BatchNorm1d(6)])
def test_gradient_penalties_through_norms_that_torch_gets_wrong_are_refused(layer: nn.Module) -> None:
    """Torch's own product is off by a third and more from differences of gradients."""
    found = penalty(layer)
    with pytest.raises(ValueError, match=f"gradient penalty does, through Native{type(layer).__name__[:5]}.*third"):
        found.hvp(found.here(), found.here())


@pytest.mark.parametrize("layer", [nn.GroupNorm(2, 6), nn.RMSNorm(6), nn.BatchNorm1d(6).eval()])
def test_gradient_penalties_through_other_norms_are_not(layer: nn.Module) -> None:
    """The truth is a central difference of gradients in float64."""
    assert error(penalty(layer)) < 1e-6


def test_other_errors_keep_their_words() -> None:
    """What a loss function raises by itself is no question of second derivatives."""

    def refuse(_w: Tensor) -> Tensor:
        raise RuntimeError("no")

    found = objective(refuse)
    with pytest.raises(RuntimeError, match=r"^no$"):
        found.hvp(found.here(), direction())
