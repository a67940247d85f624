"""Copies of what modules keep."""

import copy
import dataclasses
import logging
import socket
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from models import cross_entropy
from torch import Tensor, nn

from clinometer import Objective, Recorder, every, landscape
from clinometer.objective.copies import Memo, copied


class Saved(NamedTuple):
    log_prob: Any
    value: Any


class Log(list[Any]):
    """A list with attributes of its own."""

    total = 0


class Bag(dict[str, Any]):
    """A dictionary whose items are set in another way than its constructor takes them."""

    def __init__(self, one: int) -> None:
        super().__init__(one=one)


@dataclasses.dataclass
class Record:
    count: int
    seen: list[Tensor]


@dataclasses.dataclass(slots=True)
class Slots:
    seen: list[int]


@dataclasses.dataclass(frozen=True)
class Frozen:
    seen: dict[str, int]


class Single(list[int]):
    """Of which there can be one only."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("one of a kind")


GRAPH = torch.ones(2, requires_grad=True).exp()
LOCK, LOGGER = threading.Lock(), logging.getLogger("clinometer.tests")


def tagged() -> Any:
    log = Log([1])
    log.total = 5
    return log


def state_in(kept: Any) -> Any:
    return kept["g"][0].bit_generator.state


def itself() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


# What is kept, a change to the copy, and what must not have changed in the original.
KEPT: dict[str, tuple[Callable[[], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "named tuple": (lambda: Saved([1], torch.ones(2)), lambda c: (c.log_prob.append(2), c.value.add_(1)), str),
    "list of named tuples with graphs": (lambda: [Saved(GRAPH, GRAPH)], lambda c: c.clear(), len),
    "subclass of list with graphs": (lambda: Log([GRAPH]), lambda c: c.clear(), len),
    "its attributes": (tagged, lambda c: setattr(c, "total", 9), lambda kept: kept.total),
    "subclass of dict": (lambda: Bag(1), lambda c: c.update(one=2), dict),
    "ordered dict": (lambda: OrderedDict[str, list[int]](b=[1], a=[2]), lambda c: c["b"].append(3), str),
    "default dict": (lambda: defaultdict(list, a=[GRAPH]), lambda c: c["b"].append(3), len),
    "deque with a length": (lambda: deque([1, 2], maxlen=2), lambda c: c.append(3), str),
    "dataclass in a list": (lambda: [Record(1, [torch.ones(1)])], lambda c: (c[0].seen[0].add_(1), c.clear()), str),
    "dataclass": (lambda: Record(1, []), lambda c: (c.seen.append(GRAPH), setattr(c, "count", 2)), str),
    "dataclass with slots": (lambda: Slots([1]), lambda c: c.seen.append(2), str),
    "frozen dataclass": (lambda: Frozen({"a": 1}), lambda c: c.seen.update(a=2), str),
    "lock in a dict": (lambda: {"lock": LOCK, "count": [1]}, lambda c: c["count"].append(2), str),
    "lock in a subclass of list": (lambda: Log([LOCK, [1]]), lambda c: c[1].append(2), str),
    "logger in a dict": (lambda: {1: LOGGER, 2: [1]}, lambda c: c[2].append(2), str),
    "set": (lambda: {1, 2}, lambda c: c.add(3), len),
    "array of objects": (lambda: np.array([[1], [2, 3]], dtype=object), lambda c: c[0].append(2), str),
    "generator in a dict": (lambda: {"g": [np.random.default_rng(0)]}, lambda c: c["g"][0].random(), state_in),
    "keys that are tensors": (lambda: {torch.ones(1): 1}, lambda c: next(iter(c)).add_(1), str),
    "itself": (itself, lambda c: c[0].append(1), len),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_copy_can_be_changed_without_the_original(name: str) -> None:
    """The original's own content, before and after, is the truth; nothing in it may have been impossible to copy."""
    make, change, look = KEPT[name]
    kept, memo = make(), Memo()
    before = copy.copy(look(kept))
    fresh = copied(kept, memo)
    assert type(fresh) is type(kept)
    assert str(fresh) == str(kept) or name in ("itself", "generator in a dict")
    change(fresh)
    assert look(kept) == before
    assert memo.failed == []


def test_what_is_no_data_stays_the_same_object() -> None:
    """A copied lock would guard nothing, and a copied socket would close another's; identity is the evidence."""
    with socket.socket() as connection:
        kept = {"all": [LOCK, LOGGER, connection, GRAPH]}
        assert all(new is old for new, old in zip(copied(kept, Memo())["all"], kept["all"], strict=True))


def test_what_stands_for_an_object_does_so_everywhere() -> None:
    """A parameter in a namedtuple, a dataclass and a key is replaced by the same leaf in each."""
    old, leaf = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))
    fresh = copied([Saved(old, 0), Record(0, [old]), {old: old}], Memo({id(old): leaf}))
    assert fresh[0].log_prob is leaf
    assert fresh[1].seen[0] is leaf
    assert [(key, value) for key, value in fresh[2].items()] == [(leaf, leaf)]


class Keeping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.saved: Any = []

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer(x)
        self.saved.append(Saved(out.sum(), out.mean()))
        return out


def test_a_model_may_keep_what_it_computed_in_named_tuples() -> None:
    """As in pytorch/examples' actor_critic.py. The truth: the list that training filled, and a finite row."""
    torch.manual_seed(0)
    model, data = Keeping(), (torch.randn(16, 6), torch.randint(4, (16,)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
    model(data[0])
    with recorder.step(data):
        cross_entropy(model, data).backward()
        optimizer.step()
    assert len(model.saved) == 2
    assert np.isfinite(recorder.read("landscape")["beta"]).all()


def test_what_cannot_be_copied_is_said_once_and_shared() -> None:
    """The run goes on, and the warning names the attribute: evaluations change it, which the user should know."""
    torch.manual_seed(0)
    model, data = nn.Linear(6, 4), (torch.randn(16, 6), torch.randint(4, (16,)))
    vars(model)["odd"] = Single([1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)

    def step() -> None:
        with recorder.step(data):
            optimizer.zero_grad()
            cross_entropy(model, data).backward()
            optimizer.step()

    with pytest.warns(
        UserWarning, match="'odd' of a Linear holds a Single .*one of a kind.*which cannot be copied"
    ) as said:
        step()
    step()
    assert len(said) == 1
    assert len(recorder.read("landscape")["beta"]) == 2


def test_a_shortage_of_memory_while_copying_is_passed_on() -> None:
    """What is too large to be copied now is not shared instead: the evaluation would change it."""

    class Large(list[int]):
        def __copy__(self) -> Any:
            raise MemoryError

    model = nn.Linear(6, 4)
    vars(model)["large"] = Large()
    with pytest.raises(MemoryError):
        Objective(model, cross_entropy, None)
