"""Batches of every make: what `loss_fn` takes is the loop's own affair."""

import dataclasses
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from loops import FORMS, STEPS, Run, assert_measured
from models import batch, cross_entropy
from torch import Tensor, nn


@dataclasses.dataclass
class Sample:
    x: Tensor
    y: Tensor
    weight: float = 1.0


class Named(NamedTuple):
    x: Tensor
    y: Tensor


class Own:
    """A class of one's own, such as a graph's."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.nodes, self.labels = x, y


Parts = tuple[Tensor, Tensor]
BATCHES: dict[str, tuple[Callable[[Parts, int], Any], Callable[[Any], Parts]]] = {
    "tuple": (lambda parts, _i: parts, lambda data: data),
    "list": (lambda parts, _i: list(parts), tuple),
    "dict": (
        lambda parts, i: {"x": parts[0], "more": {"y": parts[1], "name": f"sample {i}"}},
        lambda d: (d["x"], d["more"]["y"]),
    ),
    "dataclass": (lambda parts, _i: Sample(*parts), lambda data: (data.x * data.weight, data.y)),
    "named tuple": (lambda parts, _i: Named(*parts), lambda data: (data.x, data.y)),
    "own class": (lambda parts, _i: Own(*parts), lambda data: (data.nodes, data.labels)),
    "arrays": (lambda parts, _i: [each.numpy() for each in parts], lambda data: tuple(map(torch.from_numpy, data))),
    "number": (lambda _parts, i: i, batch),
    "None": (lambda _parts, _i: None, lambda _data: batch(5)),
    "None, drawn by the loss": (lambda _parts, _i: None, lambda _data: (torch.randn(16, 6), torch.arange(16) % 4)),
    "None, drawn in Python": (lambda _parts, _i: None, lambda _data: batch(random.randrange(9))),
    "None, drawn in NumPy": (lambda _parts, _i: None, lambda _data: batch(int(np.random.randint(9)))),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", BATCHES)
def test_measured_it_is_the_same_run(name: str, form: str) -> None:
    """The truth is the loop without a recorder, and its own losses: the same batch, or the same draws of one."""
    make, take = BATCHES[name]

    def loss_fn(model: nn.Module, data: Any) -> Tensor:
        return cross_entropy(model, take(data))

    def loop(run: Run) -> None:
        random.seed(0)
        np.random.seed(0)
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 4))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        run.attach(model, loss_fn, optimizer)
        for index in range(STEPS):
            data = make(batch(index), index)
            with run.step(data):
                loss = loss_fn(model, data)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            run.took(loss)

    assert_measured(loop, form)


@pytest.mark.parametrize("form", FORMS)
def test_one_buffer_for_all_batches(form: str) -> None:
    """A loop may fill the same memory for each step: what is measured is over before it does."""

    def loop(run: Run) -> None:
        model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))
        both = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (model[0], model[2])]
        run.attach(model, cross_entropy, both)
        data = batch()
        for index in range(STEPS):
            for held, new in zip(data, batch(index), strict=True):
                held.copy_(new)
            with run.step(data):
                loss = cross_entropy(model, data)
                loss.backward()
                for optimizer in both:
                    optimizer.step()
                model.zero_grad()
            run.took(loss)

    assert_measured(loop, form)
