"""A model's state at one moment, put in the model's place for an evaluation and taken out again.

A module is more than parameters and buffers: it may anneal a float, fill a buffer on its first call, keep tensors in a
list, or own a generator. So for an evaluation every module gets another `__dict__`, made of copies, and then its own
back. Whatever the forward pass assigns or changes in place is gone with the copy; the live one was never touched.
"""

import contextlib
import copy
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# Hooks and the like stay the live ones: a handle that removes a hook refers to the very dict it is in.
_SHARED = set(vars(nn.Module())) - {"_parameters", "_buffers", "_modules", "training"}
_CONTAINERS = (list, dict, set, tuple, OrderedDict, defaultdict, deque)
_GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)
_COPIED = (*_CONTAINERS, *_GENERATORS, Tensor)

Memo = dict[int, Any]  # id of an object -> what stands for it in the copy


class Replica:
    """What a model's modules hold now: copies of everything but trainable parameters, whose places are remembered.

    Args:
        model: Used where it lies; compiled TorchScript modules, whose state is not Python's, are left out.
        trainable: The parameters that each evaluation supplies, by name.
    """

    def __init__(self, model: nn.Module, trainable: Mapping[str, Tensor]) -> None:
        self._trainable = dict(trainable)
        memo: Memo = {id(p): p for p in trainable.values()}
        modules = [module for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)]
        self._states = [(module, *_frozen(vars(module), memo)) for module in modules]

    @contextlib.contextmanager
    def installed(self, leaves: Mapping[str, Tensor]) -> Generator[None]:
        """Inside the block the modules hold fresh copies of this state, with `leaves` as their parameters."""
        memo: Memo = {id(self._trainable[name]): leaf for name, leaf in leaves.items()}
        live = [(module, module.__dict__) for module, _, _ in self._states]
        try:
            for module, state, changing in self._states:
                fresh = dict(state)
                for name in changing:
                    fresh[name] = _copied(state[name], memo)
                object.__setattr__(module, "__dict__", fresh)
            yield
        finally:
            for module, own in live:
                object.__setattr__(module, "__dict__", own)


def _frozen(attributes: Mapping[str, Any], memo: Memo) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A module's attributes, copied where they can change in place, and the names of those."""
    changing = tuple(n for n, value in attributes.items() if n not in _SHARED and _can_change(value))
    return {n: _copied(value, memo) if n in changing else value for n, value in attributes.items()}, changing


def _can_change(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(_can_change(item) for item in value)
    return isinstance(value, _COPIED)


def _copied(value: Any, memo: Memo) -> Any:
    """A copy through containers, with tensors cloned and generators continued from where they stand."""
    if id(value) in memo:
        return memo[id(value)]
    fresh = value
    if isinstance(value, Tensor):
        if value.grad_fn is None:  # what was computed from parameters is computed again
            fresh = value.detach().clone()
    elif isinstance(value, torch.Generator):
        fresh = torch.Generator(value.device)
        fresh.set_state(value.get_state())
    elif isinstance(value, _GENERATORS):
        fresh = copy.deepcopy(value)
    elif type(value) is tuple:
        fresh = tuple(_copied(item, memo) for item in value)
    elif type(value) in (list, set, deque):
        fresh = copy.copy(value)
        fresh.clear()
        (fresh.update if isinstance(fresh, set) else fresh.extend)([_copied(item, memo) for item in value])
    elif type(value) in (dict, OrderedDict, defaultdict):
        fresh = copy.copy(value)
        for key, item in value.items():
            fresh[key] = _copied(item, memo)
    memo[id(value)] = fresh
    return fresh
