"""A model's state at one moment, put in the model's place for an evaluation and taken out again.

A module is more than parameters and buffers: it may anneal a float, fill a buffer on its first call, keep tensors in a
list, or own a generator. So for an evaluation every module gets another `__dict__`, made of copies, and then its own
back. Whatever the forward pass assigns or changes in place is gone with the copy; the live one was never touched.
"""

import contextlib
import copy
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clinometer.objective.checks import check_torchscript
from clinometer.objective.distributed import receive_buffers, standing_in

# Hooks and the like stay the live ones: a handle that removes a hook refers to the very dict it is in.
_SHARED = set(vars(nn.Module())) - {"_parameters", "_buffers", "_modules", "training"}
_CONTAINERS = (list, dict, set, tuple, deque)
_GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)
_CHANGING = (*_CONTAINERS, *_GENERATORS, Tensor, np.ndarray, bytearray)
_PLAIN = (int, float, bool, str, bytes, type(None))

Memo = dict[int, Any]  # id of an object -> what stands for it in the copy


class ModuleState:
    """What a model's modules hold now: copies of everything but trainable parameters, whose places are remembered.

    Args:
        roots: The model, and the other modules that the loss runs; used in place.
        trainable: The parameters that each evaluation supplies, by name.
        held: Parameters that stay in place, because somebody else sees to them.
    """

    def __init__(
        self, roots: Sequence[nn.Module], trainable: Mapping[str, Tensor], held: Sequence[Tensor] = ()
    ) -> None:
        self._trainable = dict(trainable)
        modules = modules_of(roots)
        self._same: Memo = {id(item): item for item in (*modules, *held)}
        memo = self._same | {id(p): p for p in trainable.values()}
        self._states = [(module, *_frozen(standing_in(module), memo)) for module in modules]
        for module in modules:
            receive_buffers(module, memo)

    @contextlib.contextmanager
    def installed(self, leaves: Mapping[str, Tensor]) -> Generator[None]:
        """Inside the block the modules hold fresh copies of this state, with `leaves` as their parameters."""
        memo = self._same | {id(self._trainable[name]): leaf for name, leaf in leaves.items()}
        live = [(module, module.__dict__) for module, _, _ in self._states]
        try:
            for module, state, changing in self._states:
                fresh = state | {name: copied(state[name], memo) for name in changing}
                object.__setattr__(module, "__dict__", fresh)
            yield
        finally:
            try:
                _put(live)
            except KeyboardInterrupt:  # it came between two modules: half a model back is no model
                _put(live)
                raise


def like(tensor: Tensor, value: Tensor) -> Tensor:
    """A copy of `value` that is to a model what `tensor` is: of its class, with its attributes and `requires_grad`.

    A loss may choose parameters by class, by `requires_grad`, or by a tag that was set on them.
    """
    fresh = value.detach().clone()
    if type(tensor) is not Tensor:
        fresh = torch.Tensor._make_subclass(type(tensor), fresh)
        vars(fresh).update(vars(tensor))
    return fresh.requires_grad_(tensor.requires_grad)


def modules_of(roots: Sequence[nn.Module]) -> list[nn.Module]:
    """The roots' modules, and those in their lists or plain attributes, where a distillation model keeps its teacher.

    Raises:
        ValueError: if one of them is a TorchScript module.
    """
    found: dict[int, nn.Module] = {}
    waiting: list[Any] = [*roots]
    while waiting:
        item = waiting.pop()
        if isinstance(item, nn.Module) and id(item) not in found:
            found[id(item)] = item
            waiting += vars(item).values()
        elif isinstance(item, dict):
            waiting += [value for value in item.values() if isinstance(value, nn.Module)]
        elif isinstance(item, list | tuple):
            waiting += [value for value in item if isinstance(value, nn.Module)]
    check_torchscript(found.values())
    return list(found.values())


def _put(live: list[tuple[nn.Module, dict[str, Any]]]) -> None:
    for module, own in live:
        object.__setattr__(module, "__dict__", own)


def _frozen(attributes: Mapping[str, Any], memo: Memo) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A module's attributes, copied where they can change in place, and the names of those."""
    changing = tuple(n for n, value in attributes.items() if n not in _SHARED and _can_change(value))
    return {n: copied(value, memo) if n in changing else value for n, value in attributes.items()}, changing


def _can_change(value: Any) -> bool:
    if type(value) is tuple:
        return any(_can_change(item) for item in value)
    return _is_changing(value)


def _is_changing(value: Any) -> bool:
    return isinstance(value, _CHANGING)


def copied(value: Any, memo: Memo) -> Any:
    """A copy through containers, with tensors cloned and generators continued from where they stand."""
    if type(value) in _PLAIN or not _is_changing(value):
        return memo.get(id(value), value)
    if id(value) in memo:
        return memo[id(value)]
    kind, fresh = type(value), value
    if isinstance(value, Tensor):
        if value.grad_fn is None:  # what was computed from parameters is computed again
            fresh = like(value, value)
    elif isinstance(value, torch.Generator):
        fresh = torch.Generator(value.device)
        fresh.set_state(value.get_state())
    elif kind is tuple:
        fresh = tuple(copied(item, memo) for item in value)
    elif kind is set:
        fresh = {copied(item, memo) for item in value}
    elif kind in (list, deque):
        memo[id(value)] = fresh = copy.copy(value)  # before its items: a list may hold itself
        for index, item in enumerate(value):
            fresh[index] = copied(item, memo)
    elif kind in (dict, OrderedDict, defaultdict):
        memo[id(value)] = fresh = copy.copy(value)
        fresh.clear()
        for key, item in value.items():
            fresh[copied(key, memo)] = copied(item, memo)
    else:  # arrays, and containers of other classes
        fresh = copy.deepcopy(value, memo)
    memo[id(value)] = fresh
    return fresh
