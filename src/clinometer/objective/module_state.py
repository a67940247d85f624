"""The state of a model's modules at one moment, which replaces their present state during an evaluation.

A module is more than parameters and buffers: it may anneal a float, fill a buffer on its first call, keep tensors in a
list, or own a generator. So for an evaluation every module gets another `__dict__`, made of copies, and afterwards its
own back. The forward pass can assign and change the copy alone.
"""

import contextlib
import copy
import functools
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clinometer.objective.checks import check_torchscript
from clinometer.objective.distributed import attributes_of, receive_buffers

# Hooks and the like stay the live ones: a handle that removes a hook refers to the very dict it is in.
_SHARED = set(vars(nn.Module())) - {"_parameters", "_buffers", "_modules", "training"}
_CONTAINERS = (list, dict, set, tuple, deque)
_GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)
_CHANGING = (*_CONTAINERS, *_GENERATORS, Tensor, np.ndarray, bytearray)
_STRINGS = {str}

Memo = dict[int, Any]  # id of an object -> what stands for it in the copy


class ModuleState:
    """Copies of all that a model's modules hold now but trainable parameters, which each evaluation supplies.

    Args:
        roots: The model, and the other modules that the loss runs; used in place.
        trainable: The parameters that each evaluation supplies, by name.
        in_place: What is neither copied nor replaced: parameters that `Fsdp` changes, and random generators, whose
            states are set and put back.
    """

    def __init__(
        self, roots: Sequence[nn.Module], trainable: Mapping[str, Tensor], in_place: Sequence[Any] = ()
    ) -> None:
        self._trainable = dict(trainable)
        modules = modules_of(roots)
        self._same: Memo = {id(item): item for item in (*modules, *in_place)}
        memo = self._same | {id(p): p for p in trainable.values()}
        self._states = [(module, *_frozen(attributes_of(module), memo)) for module in modules]
        self.registered = {id(p) for _, state, _ in self._states for p in state["_parameters"].values()}  # trainable
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
                _restore(live)
            except KeyboardInterrupt:  # it came between two modules
                _restore(live)
                raise


def like(tensor: Tensor, value: Tensor) -> Tensor:
    """A copy of `value` that can replace `tensor` in a model: of its class, with its attributes and `requires_grad`.

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
    modules: dict[int, nn.Module] = {}
    waiting: list[Any] = [*roots]
    while waiting:
        item = waiting.pop()
        if isinstance(item, nn.Module) and id(item) not in modules:
            modules[id(item)] = item
            waiting += vars(item).values()
        elif isinstance(item, dict):
            waiting += [value for value in item.values() if isinstance(value, nn.Module)]
        elif isinstance(item, list | tuple):
            waiting += [value for value in item if isinstance(value, nn.Module)]
    check_torchscript(modules.values())
    return list(modules.values())


def _restore(live: list[tuple[nn.Module, dict[str, Any]]]) -> None:
    for module, own in live:
        object.__setattr__(module, "__dict__", own)


def _frozen(attributes: Mapping[str, Any], memo: Memo) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A module's attributes, copied where they can change in place, and the names of those."""
    changing = tuple(n for n, value in attributes.items() if n not in _SHARED and _can_change(value))
    return {n: copied(value, memo) if n in changing else value for n, value in attributes.items()}, changing


def _can_change(value: Any) -> bool:
    if type(value) is tuple:
        return any(_can_change(item) for item in value)
    return _is_mutable(type(value))


@functools.lru_cache(maxsize=4096)  # asked for every attribute of every module, at every evaluation
def _is_mutable(kind: type) -> bool:
    return issubclass(kind, _CHANGING)


def copied(value: Any, memo: Memo) -> Any:
    """A copy through containers, with tensors cloned and generators continued from where they stand."""
    kind, fresh = type(value), value
    if not _is_mutable(kind):
        return memo.get(id(value), value)
    if id(value) in memo:
        return memo[id(value)]
    if kind is dict and _STRINGS.issuperset(map(type, value)):  # the quick way: modules have three of them each
        memo[id(value)] = fresh = value.copy()
        for key, item in value.items():
            if (other := copied(item, memo)) is not item:
                fresh[key] = other
        return fresh
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
