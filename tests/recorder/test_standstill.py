"""A model that never moves while training goes on is told, once; one that has a reason to stay is not."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from models import batch, cross_entropy
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.nn import functional as F

from clinometer import Recorder, every, landscape

STEPS = 8


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))


def recorder_of(model: nn.Module, **options: Any) -> Recorder:
    return Recorder(model, cross_entropy, [landscape(sizes=[0.5], relative=False)], every(1), **options)


def functional_loss(model: nn.Module) -> Callable[[Any, Any], Tensor]:
    return lambda params, data: F.cross_entropy(functional_call(model, params, (data[0],)), data[1])


def by_torch_func(model: nn.Module, same: bool) -> Recorder:
    recorder, loss_fn = recorder_of(model), functional_loss(model)
    params: Any = {name: p.detach() for name, p in model.named_parameters()}
    for index in range(STEPS):
        data = batch(0 if same else index)
        recorder.step(data)
        slopes = grad(loss_fn)(params, data)
        params = {name: p - 0.5 * slopes[name] for name, p in params.items()}
    return recorder


def on_one_batch(model: nn.Module) -> Recorder:
    return by_torch_func(model, same=True)


def on_many_batches(model: nn.Module) -> Recorder:
    return by_torch_func(model, same=False)


def by_backward_on_new_tensors(model: nn.Module) -> Recorder:
    """The first pass reaches the model's own parameters, the others what was made of them."""
    recorder, loss_fn = recorder_of(model), functional_loss(model)
    params: Any = dict(model.named_parameters())
    for index in range(STEPS):
        recorder.step(batch(index))
        loss_fn(params, batch(index)).backward()
        params = {name: (p - 0.5 * p.grad).detach().requires_grad_() for name, p in params.items()}
    return recorder


def with_an_optimizer_that_never_steps(model: nn.Module) -> Recorder:
    recorder, loss_fn = (
        recorder_of(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.5)),
        functional_loss(model),
    )
    params: Any = {name: p.detach() for name, p in model.named_parameters()}
    for index in range(STEPS):
        recorder.step(batch(index))
        slopes = grad(loss_fn)(params, batch(index))
        params = {name: p - 0.5 * slopes[name] for name, p in params.items()}
    return recorder


def by_a_copy(model: nn.Module) -> Recorder:
    """Gradients are the model's; what they move is a copy, which nobody copies back."""
    recorder = recorder_of(model)
    copies = [p.detach().clone() for p in model.parameters()]
    for index in range(STEPS):
        recorder.step(batch(index))
        model.zero_grad()
        cross_entropy(model, batch(index)).backward()
        for copy, p in zip(copies, model.parameters(), strict=True):
            copy -= 0.1 * p.grad
    return recorder


def warned(train: Callable[[nn.Module], Recorder]) -> list[str]:
    with warnings.catch_warnings(record=True, action="always") as caught:
        train(net()).summary()
    return [str(warning.message) for warning in caught]


TOLD = [
    on_one_batch,
    on_many_batches,
    by_backward_on_new_tensors,
    with_an_optimizer_that_never_steps,
    by_a_copy,
]


@pytest.mark.parametrize("train", TOLD)
def test_a_model_that_never_moves_is_told_once(train: Callable[[nn.Module], Recorder]) -> None:
    """The truth is the loop: it updates tensors that are not the model's, so each row is of the untrained model."""
    (message,) = warned(train)
    assert any(words in message for words in ("does not train", "none of the parameters", "no step to measure"))
    assert "params=lambda: params" in message


def test_a_mapping_that_training_leaves_behind_is_told() -> None:
    """The truth is the loop: it makes a new mapping at each step, and the recorder was given the first alone."""

    def train(model: nn.Module) -> Recorder:
        loss_fn = functional_loss(model)
        params: Any = {name: p.detach() for name, p in model.named_parameters()}
        recorder = Recorder(
            params=params, loss_fn=loss_fn, probes=[landscape(sizes=[0.5], relative=False)], when=every(1)
        )
        for index in range(STEPS):
            recorder.step(batch(index))
            slopes = grad(loss_fn)(params, batch(index))
            params = {name: p - 0.5 * slopes[name] for name, p in params.items()}
        return recorder

    (message,) = warned(train)
    assert "params=lambda: params" in message


def trained_at(model: nn.Module, lr: float) -> Recorder:
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    recorder = recorder_of(model, optimizer=optimizer)
    for index in range(STEPS):
        recorder.step(batch(index))
        optimizer.zero_grad()
        cross_entropy(model, batch(index)).backward()
        optimizer.step()
    return recorder


def at_rate_zero(model: nn.Module) -> Recorder:
    return trained_at(model, 0.0)


def diverged(model: nn.Module) -> Recorder:
    return trained_at(model, 1e30)


def accumulating(model: nn.Module) -> Recorder:
    """By hand, over more batches than the run has, with a recorder that knows no optimizer."""
    recorder = recorder_of(model)
    for index in range(STEPS):
        recorder.step(batch(index))
        cross_entropy(model, batch(index)).backward()
    return recorder


def at_a_minimum(model: nn.Module) -> Recorder:
    """LBFGS has converged on its only batch, and stays."""
    optimizer = torch.optim.LBFGS(model.parameters(), tolerance_grad=1e3)
    recorder = recorder_of(model, optimizer=optimizer)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(model, batch(0))
        loss.backward()
        return loss

    for _ in range(STEPS):
        recorder.step(batch(0))
        optimizer.step(closure)
    return recorder


def with_a_frozen_epoch(model: nn.Module) -> Recorder:
    """The body is frozen at first; what the optimizer holds moves."""
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = recorder_of(model, optimizer=optimizer)
    for index in range(STEPS):
        if index == STEPS // 2:
            model.requires_grad_(True)
        recorder.step(batch(index))
        optimizer.zero_grad()
        cross_entropy(model, batch(index)).backward()
        optimizer.step()
    return recorder


@pytest.mark.parametrize("train", [at_rate_zero, accumulating, at_a_minimum, with_a_frozen_epoch, diverged])
def test_a_model_with_a_reason_to_stay_is_not_told(train: Callable[[nn.Module], Recorder]) -> None:
    """The truth is the loop: its next step moves the model, or its optimizer was told not to."""
    assert warned(train) == []
