"""Sizes of batches, and their parts."""

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clinometer import Objective
from clinometer.objective.parts import size_of, split_batch


@dataclasses.dataclass
class Record:
    x: Tensor
    label: Any
    name: str = "record"


Pair = namedtuple("Pair", "x y")
X, Y = torch.arange(10.0).reshape(5, 2), torch.arange(5)
BATCHES = {
    "containers that differ": ({"x": X}, {"x": Y}),
    "a sequence of one": [(X, Y)],
    "a tensor": X,
    "a tuple": (X, Y),
    "a list": [X, Y, "name", 3, None],
    "a dict": OrderedDict(x=X, y=Y, temperature=torch.tensor(2.0)),
    "nested": {"inputs": {"ids": X}, "labels": (Y, Y)},
    "a named tuple": Pair(X, Y),
    "a dataclass": Record(X, Y.numpy()),
    "arrays": (X.numpy(), Y.numpy()),
}


def leaves(found: Any) -> list[Any]:
    """All tensors and arrays, found by a walk of the test's own."""
    if isinstance(found, Tensor | np.ndarray):
        return [found] if found.ndim else []
    if isinstance(found, dict):
        return [leaf for value in found.values() for leaf in leaves(value)]
    if isinstance(found, list | tuple):
        return [leaf for value in found for leaf in leaves(value)]
    return [leaf for value in vars(found).values() for leaf in leaves(value)] if isinstance(found, Record) else []


@pytest.mark.parametrize("parts", [2, 3, 9])
@pytest.mark.parametrize("name", BATCHES)
def test_parts_put_together_are_the_batch(name: str, parts: int) -> None:
    """The truth is the batch: the parts' tensors, joined, are its own, and each part is of its kind."""
    whole = BATCHES[name]
    found = split_batch(whole, parts)
    assert len(found) == min(parts, 5)
    assert {type(part) for part in found} == {type(whole)}
    assert size_of(whole) == 5
    assert max(map(size_of, found)) - min(map(size_of, found)) <= 1
    for pieces, expected in zip(zip(*map(leaves, found), strict=True), leaves(whole), strict=True):
        np.testing.assert_array_equal(np.concatenate([np.asarray(piece) for piece in pieces]), np.asarray(expected))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (None, "found NoneType with none"),
        ("text", "found str with none"),
        (torch.ones(1, 3), "found Tensor with lengths 1"),
        ((torch.ones(4), torch.ones(6)), "found tuple with lengths 4, 6"),
        (torch.tensor(3.0), "found Tensor with none"),
        ({1, 2}, "found set with none"),
        ([(X, Y)] * 3, "found list with lengths 5, which may be a group of batches"),
        ([{"x": X}, {"x": X[:5]}], "found list with lengths 5, which may be a group of batches"),
    ],
)
def test_a_batch_that_cannot_be_split_is_refused(bad: Any, said: str) -> None:
    """In words: what was expected, and what was found."""
    with pytest.raises(ValueError, match=f"cannot be split: expected .* {said}"):
        split_batch(bad, 2)
    assert not size_of(bad) >= 2


def test_gradients_by_a_part_do_not_reach_the_batch() -> None:
    """Training may hold gradients by its inputs, as adversarial training does: they must stay as they are."""
    x = torch.ones(4, requires_grad=True)
    first, _ = split_batch(x, 2)
    first.sum().backward()
    assert first.requires_grad
    assert x.grad is None


def test_batches_that_were_changed_are_not_handed_out() -> None:
    """Their parts would not be those of the step."""
    data = torch.ones(4)
    objective = Objective(torch.nn.Linear(1, 1), lambda m, x: m.weight.sum() * x.sum(), data)
    assert torch.equal(objective.each_batch()[0], data)
    data.add_(1)
    with pytest.raises(ValueError, match="the batch was changed in place"):
        objective.each_batch()
