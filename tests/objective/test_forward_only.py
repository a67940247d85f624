"""Forward passes alone keep no activations, and give what a pass that keeps them gives."""

from typing import Any

import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from clinometer import Objective

DATA = batch()


def penalised(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
    """A gradient penalty: the loss differentiates inside."""
    x = data[0].clone().requires_grad_()
    loss = F.cross_entropy(model(x), data[1])
    return loss + torch.autograd.grad(loss, x, create_graph=True)[0].square().sum()


def penalised_if_possible(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
    """The same, in code that handles every Exception and even what is none."""
    try:
        return penalised(model, data)
    except BaseException:
        return torch.zeros((), requires_grad=True)


def functional(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
    """A derivative by torch.func, which refuses hooks on saved tensors."""
    return cross_entropy(model, data) + torch.func.grad(lambda x: x.square().sum())(data[0]).sum()


def checkpointed(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
    """Activation checkpointing, which hooks saved tensors itself."""
    return F.cross_entropy(checkpoint(model, data[0], use_reentrant=False), data[1])


@pytest.mark.parametrize(
    "loss_fn", [cross_entropy, penalised, penalised_if_possible, functional, checkpointed], ids=lambda f: f.__name__
)
def test_the_loss_is_that_of_a_pass_that_keeps_all(loss_fn: Any) -> None:
    """The truth is the loss of `loss_and_grad`, whose graph autograd keeps whole: equal bit for bit, and again."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 4))
    objective = Objective(model, loss_fn, DATA)
    here = objective.here()
    losses = [objective.loss(here), objective.loss(here)]
    for loss in losses:
        assert_same(loss, objective.loss_and_grad(here)[0])
        assert not loss.requires_grad


def test_a_loss_that_differentiates_is_found_after_others_worked() -> None:
    """A loss may do so at some points only: there torch's refusal must not count as divergence, which is NaN."""

    def sometimes(model: nn.Module, data: tuple[Tensor, Tensor]) -> Tensor:
        return (functional if float(model.weight.detach().sum()) > 0 else cross_entropy)(model, data)

    objective = Objective(nn.Linear(6, 4), sometimes, DATA)
    at = {name: torch.ones_like(value) for name, value in objective.here().items()}
    assert torch.isfinite(objective.loss({name: -value for name, value in at.items()}))
    assert_same(objective.loss(at), objective.loss_and_grad(at)[0])
    assert objective.failures.error is None


def test_no_activation_outlives_the_layer_that_reads_it() -> None:
    """Read from the storages themselves: each hidden activation is gone when the head runs, as without gradients."""
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4))
    storages: list[StorageWeakRef] = []
    alive: list[int] = []
    for layer in model[:3]:
        layer.register_forward_hook(lambda *seen: storages.append(StorageWeakRef(seen[2].untyped_storage())))
    model[4].register_forward_pre_hook(lambda *_: alive.append(sum(not each.expired() for each in storages)))
    objective = Objective(model, cross_entropy, DATA)
    objective.loss(objective.here())
    storages.clear()
    objective.loss_and_grad(objective.here())
    assert alive == [0, 1]  # the activation of Tanh, which its backward pass reads


def test_everything_that_a_module_may_hold_is_evaluated_alike() -> None:
    """BatchNorm, dropout, tied, frozen and unused parameters and buffers that change, bit for bit."""
    objective = Objective(everything(), cross_entropy, DATA)
    here = objective.here()
    assert_same(objective.loss(here), objective.loss_and_grad(here)[0])
