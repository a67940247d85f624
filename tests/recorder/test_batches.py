"""Batches of every make: what `loss_fn` takes is the loop's own affair."""

import dataclasses
import random
from collections import UserDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from loops import FORMS, STEPS, Run, assert_measured
from models import batch, cross_entropy
from torch import Tensor, nn

from clinometer import Objective


@dataclasses.dataclass
class Sample:
    x: Tensor
    y: Tensor
    weight: float = 1.0


class Named(NamedTuple):
    x: Tensor
    y: Tensor


@dataclasses.dataclass(slots=True, frozen=True)
class Slots:
    x: Tensor
    more: dict[str, Tensor]


class Attrs:
    """As the attrs library makes a class, seen from outside."""

    __attrs_attrs__ = (SimpleNamespace(name="x"), SimpleNamespace(name="more"))

    def __init__(self, x: Tensor, more: dict[str, Tensor]) -> None:
        self.x, self.more = x, more


class Picky(dict[str, Any]):
    """A mapping that cannot be copied."""

    def __copy__(self) -> Any:
        raise TypeError("one of a kind")

    __reduce_ex__ = __copy__


class Own:
    """A class of one's own, such as a graph's."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.nodes, self.labels = x, y


Parts = tuple[Tensor, Tensor]


def native(data: Any) -> Parts:
    """Arrays, or a tensor and an array, of any make as tensors that torch computes with."""
    x, y = (torch.from_numpy(np.array(np.asarray(each).tolist(), dtype=np.float32)) for each in data)
    return x, y.long()


def padded(data: Any) -> Parts:
    return data[0].to_padded_tensor(0.0), data[1]


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
    "slots": (lambda parts, _i: Slots(parts[0], {"y": parts[1]}), lambda data: (data.x, data.more["y"])),
    "attrs": (lambda parts, _i: Attrs(parts[0], {"y": parts[1]}), lambda data: (data.x, data.more["y"])),
    "user's mapping": (lambda parts, _i: UserDict(x=parts[0], y=parts[1]), lambda data: (data["x"], data["y"])),
    "a mapping that cannot be copied": (lambda parts, _i: Picky(enumerate(parts)), lambda data: tuple(data.values())),
    "reversed array": (lambda parts, _i: [np.flip(each.numpy()) for each in parts], native),
    "big-endian array": (lambda parts, _i: [each.numpy().astype(">f8") for each in parts], native),
    "long doubles": (lambda parts, _i: [each.numpy().astype(np.longdouble) for each in parts], native),
    "objects": (lambda parts, _i: [np.array([*each.tolist()], dtype=object) for each in parts], native),
    "strings": (lambda parts, _i: [each.numpy().astype("U32") for each in parts], native),
    "masked array": (lambda parts, _i: [np.ma.masked_array(each.numpy(), mask=each > 9) for each in parts], native),
    "complex": (lambda parts, _i: (torch.complex(parts[0], parts[0]), parts[1]), lambda data: (data[0].real, data[1])),
    "complex array": (
        lambda parts, _i: (parts[0].numpy() * 1j, parts[1]),
        lambda data: native((data[0].imag, data[1])),
    ),
    "sparse": (lambda parts, _i: (parts[0].to_sparse(), parts[1]), lambda data: (data[0].to_dense(), data[1])),
    "sparse rows": (lambda parts, _i: (parts[0].to_sparse_csr(), parts[1]), lambda data: (data[0].to_dense(), data[1])),
    "nested": (lambda parts, _i: (torch.nested.nested_tensor([*parts[0]]), parts[1]), padded),
    "jagged": (lambda parts, _i: (torch.nested.nested_tensor([*parts[0]], layout=torch.jagged), parts[1]), padded),
    "meta beside it": (lambda parts, _i: (*parts, torch.ones(2, device="meta")), lambda data: data[:2]),
    "ragged": (lambda parts, _i: ([row[: 1 + i] for i, row in enumerate(parts[0])], parts), lambda data: data[1]),
    "times": (lambda parts, _i: (*parts, np.array(["2020-01-01"], "M8[D]")), lambda data: data[:2]),
    "records": (lambda parts, _i: (*parts, np.zeros(2, [("a", "i4"), ("b", "f4")])), lambda data: data[:2]),
    "number": (lambda _parts, i: i, batch),
    "None": (lambda _parts, _i: None, lambda _data: batch(5)),
    "None, drawn by the loss": (lambda _parts, _i: None, lambda _data: (torch.randn(16, 6), torch.arange(16) % 4)),
    "None, drawn in Python": (lambda _parts, _i: None, lambda _data: batch(random.randrange(9))),
    "None, drawn in NumPy": (lambda _parts, _i: None, lambda _data: batch(int(np.random.randint(9)))),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta", "ignore:The PyTorch API of nested tensors")
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


CONTAINERS: dict[str, tuple[Callable[[Parts], Any], Callable[[Any], Tensor]]] = {
    "dict": (lambda parts: {"x": parts[0], "y": parts[1]}, lambda data: data.pop("y")),
    "inner dict": (lambda parts: ({"x": parts[0], "y": parts[1]},), lambda data: data[0].pop("y")),
    "list": (lambda parts: {"x": parts[0], "more": [parts[1]]}, lambda data: data["more"].pop()),
    "user's mapping": (lambda parts: UserDict(x=parts[0], y=parts[1]), lambda data: data.pop("y")),
    "slots": (lambda parts: Slots(parts[0], {"y": parts[1]}), lambda data: data.more.pop("y")),
    "attrs": (lambda parts: Attrs(parts[0], {"y": parts[1]}), lambda data: data.more.pop("y")),
    "dataclass": (lambda parts: Sample(*parts), lambda data: vars(data).pop("y")),
}


@pytest.mark.parametrize("by_loss", [False, True])
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_step_may_pop_from_its_batch(name: str, by_loss: bool) -> None:
    """The truth is the loop without a recorder; labels are popped by the loop, or by loss_fn at each evaluation."""
    make, pop = CONTAINERS[name]

    def first(data: Any) -> Tensor:
        data = data[0] if isinstance(data, tuple) else data
        return data.x if hasattr(data, "x") else data["x"]

    def popping(model: nn.Module, data: Any) -> Tensor:
        return cross_entropy(model, (first(data), pop(data)))

    def loop(run: Run) -> None:
        model = nn.Linear(6, 4)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run.attach(model, popping, optimizer)
        for index in range(STEPS):
            data = make(batch(index))
            with run.step(data):
                labels = pop(make(batch(index)) if by_loss else data)
                loss = cross_entropy(model, (first(data), labels))
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            run.took(loss)

    assert_measured(loop, "block")


CHANGES: dict[str, Callable[[Any], Any]] = {
    "complex": lambda x: torch.complex(x, x),
    "sparse": lambda x: x.to_sparse(),
    "array": lambda x: x.numpy(),
    "reversed array": lambda x: np.flip(x.numpy()),
    "half": lambda x: x.half(),
    "scalar": lambda x: x[0, 0],
}


def spoil(x: Any) -> None:
    if isinstance(x, Tensor):
        (x._values() if x.is_sparse else x).data.mul_(2)
    else:
        x *= 2


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_that_torch_does_not_count_is_seen_in_any_kind_of_numbers(kind: str) -> None:
    """By `.data` or by NumPy: the objective made before the change would measure another batch than was trained."""
    x = CHANGES[kind](torch.ones(4, 6))
    objective = Objective(nn.Linear(6, 4), lambda model, _data: model(torch.ones(6)).sum(), {"x": [x]})
    spoil(x)
    with pytest.raises(ValueError, match="batch was changed in place"):
        objective.loss(objective.here())


def test_samples_that_change_places_are_seen() -> None:
    """The sum of all stays the same: shuffling an array in place would go unseen by it alone."""
    x = np.arange(12.0).reshape(6, 2)
    objective = Objective(nn.Linear(6, 4), lambda model, _data: model(torch.ones(6)).sum(), x)
    x[:] = x[::-1].copy()
    with pytest.raises(ValueError, match="batch was changed in place"):
        objective.loss(objective.here())
