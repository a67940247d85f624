"""Whatever a search does, the run that follows is the run that would have been."""

import random

import numpy as np
import pytest
import torch
from models import batch, cross_entropy, everything
from properties import assert_same, traces
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from clinometer import suggest_lr

BATCHES = [batch(seed) for seed in range(25)]


def trained(optimizer_class: type, **settings: float) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A model that has taken three steps: gradients, state and statistics are there."""
    model = everything()
    optimizer = optimizer_class(model.parameters(), **settings)
    for each in BATCHES[:3]:
        optimizer.zero_grad()
        cross_entropy(model, each).backward()
        optimizer.step()
    return model, optimizer


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
        (torch.optim.AdamW, {"lr": 1e-3}),
        (torch.optim.SGD, {"lr": 0.1}),
    ],
)
def test_everything_is_as_it_was(kind: type, settings: dict[str, float]) -> None:
    """The truth is the state before, bit for bit: parameters and where they lie, buffers, gradients, state, streams."""
    model, optimizer = trained(kind, **settings)
    before = traces(model, optimizer)
    state = {id(p): {n: id(v) for n, v in each.items()} for p, each in optimizer.state.items()}
    found = suggest_lr(model, cross_entropy, BATCHES, optimizer)
    assert_same(before, traces(model, optimizer))
    assert state == {id(p): {n: id(v) for n, v in each.items()} for p, each in optimizer.state.items()}
    assert found.passes > 20


def test_an_optimizer_without_a_state_gets_none() -> None:
    """A fresh optimizer has no state, and a copy's steps must not give it one; nor gradients to the model."""
    model = everything()
    optimizer = torch.optim.AdamW(model.parameters())
    suggest_lr(model, cross_entropy, BATCHES, optimizer)
    assert not optimizer.state
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("call", [1, 2, 5, 20, 45, 60])
def test_everything_is_as_it_was_when_the_loss_raises(call: int) -> None:
    """A mistake in the user's code at any moment ends the search with that error, and the state is the one before."""
    model, optimizer = trained(torch.optim.AdamW)
    calls = 0

    def loss_fn(model: nn.Module, each: tuple[Tensor, Tensor]) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == call:
            random.random(), np.random.rand(), torch.rand(())
            raise TypeError("a mistake")
        return cross_entropy(model, each)

    before = traces(model, optimizer)
    with pytest.raises(TypeError, match="a mistake"):
        suggest_lr(model, loss_fn, BATCHES, optimizer)
    assert_same(before, traces(model, optimizer))


def test_a_loader_goes_on_where_it_was() -> None:
    """Batches come from a pass of the search's own: a shuffling loader's next batches are those it would have given."""

    def following(search: bool) -> list[Tensor]:
        torch.manual_seed(0)
        loader = DataLoader(TensorDataset(torch.arange(300.0).reshape(100, 3)), batch_size=4, shuffle=True)
        under_way = iter(loader)
        first = next(under_way)[0]
        if search:
            model = nn.Linear(3, 1)
            torch.manual_seed(1)
            suggest_lr(model, lambda m, b: m(b[0] / 300).square().mean(), loader, torch.optim.SGD)
        else:
            nn.Linear(3, 1)
            torch.manual_seed(1)
        return [first, *(each[0] for each in under_way), torch.rand(2)]

    assert_same(following(search=True), following(search=False))


def test_training_goes_on_as_if_nothing_had_been() -> None:
    """Two trainings, one with a search in its midst, end in the same bits."""

    def ends(search: bool) -> dict[str, object]:
        model, optimizer = trained(torch.optim.AdamW)
        torch.manual_seed(3)
        for index, each in enumerate(BATCHES[:6]):
            if search and index == 3:
                suggest_lr(model, cross_entropy, BATCHES, optimizer)
            optimizer.zero_grad()
            cross_entropy(model, each).backward()
            optimizer.step()
        return {n: v for n, v in traces(model, optimizer).items() if n != "identities"}

    assert_same(ends(search=True), ends(search=False))
