"""Copies of what modules keep: tensors, containers of any class, arrays, dataclasses and generators.

What else there is, such as a lock, a file or a logger, stays the same object in the copy.
"""

import copy
import dataclasses
import functools
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clinometer.objective.generators import GENERATORS
from clinometer.objective.interruptions import is_transient

_CONTAINERS = (list, dict, set, tuple, deque)
_CHANGING = (*_CONTAINERS, *GENERATORS, Tensor, np.ndarray, bytearray)
_PLAIN = (list, deque, dict, OrderedDict, set)  # their copies have no attributes of their own
_STRINGS = {str}


class Memo(dict[int, Any]):
    """What stands for an object in the copy, by the object's id.

    Args:
        same: The objects that stand for others, or for themselves, from the start.
    """

    def __init__(self, same: dict[int, Any] | None = None) -> None:
        super().__init__(same or {})
        self.failed: list[str] = []  # what could not be copied, and why


def copied(value: Any, memo: Memo) -> Any:
    """A copy through containers, with tensors cloned and generators continued from where they stand.

    What cannot be copied is shared, and remembered in the memo.

    Example:
        >>> counts, memo = {"seen": [1, 2]}, Memo()
        >>> copied(counts, memo)["seen"].append(3)
        >>> counts
        {'seen': [1, 2]}
    """
    kind = type(value)
    if not _is_mutable(kind):
        return memo.get(id(value), value)
    if id(value) in memo:
        return memo[id(value)]
    if kind is dict and _STRINGS.issuperset(map(type, value)):  # the quick way: modules have three of them each
        memo[id(value)] = fresh = value.copy()
        _replace(fresh, dict, value.items(), memo)
        return fresh
    try:
        fresh = _copy(value, kind, memo)
    except Exception as error:
        if is_transient(error):
            raise
        memo.failed.append(f"a {kind.__name__} ({type(error).__name__}: {error})")
        fresh = value
    memo[id(value)] = fresh
    return fresh


def can_change(value: Any) -> bool:
    """Whether `copied` makes another object of a value: a tuple, only of what can change."""
    if isinstance(value, tuple):
        return any(map(can_change, value))
    return _is_mutable(type(value))


def like(tensor: Tensor, value: Tensor) -> Tensor:
    """A copy of `value` that can replace `tensor` in a model: of its class, with its attributes and `requires_grad`.

    A loss may choose parameters by class, by `requires_grad`, or by a tag that was set on them.
    """
    fresh = value.detach().clone()
    if type(tensor) is not Tensor:
        if type(fresh) is not type(tensor):
            fresh = torch.Tensor._make_subclass(type(tensor), fresh)
        vars(fresh).update(vars(tensor))
    return fresh.requires_grad_(tensor.requires_grad)


@functools.lru_cache(maxsize=4096)  # asked for every attribute of every module, at every evaluation
def _is_mutable(kind: type) -> bool:
    return issubclass(kind, _CHANGING) or (dataclasses.is_dataclass(kind) and not issubclass(kind, nn.Module))


def _copy(value: Any, kind: Any, memo: Memo) -> Any:
    if isinstance(value, Tensor):
        return value if value.grad_fn is not None else like(value, value)  # what was computed is computed again
    if isinstance(value, torch.Generator):
        fresh = torch.Generator(value.device)
        fresh.set_state(value.get_state())
        return fresh
    if isinstance(value, GENERATORS):
        return copy.deepcopy(value)
    if isinstance(value, np.ndarray):
        return _copy_of_array(value, memo)
    if isinstance(value, tuple):
        return _copy_of_tuple(value, kind, memo)
    fresh = copy.copy(value)
    if fresh is value:
        raise TypeError("its copy is the object itself")
    memo[id(value)] = fresh  # before its items: a list may hold itself
    if isinstance(value, list | deque):
        _replace(fresh, list if isinstance(value, list) else deque, enumerate(value), memo)
    elif isinstance(value, dict):
        _copy_items(fresh, OrderedDict if isinstance(value, OrderedDict) else dict, value, memo)
    elif isinstance(value, set):
        set.clear(fresh)
        set.update(fresh, [copied(item, memo) for item in value])
    if kind not in _PLAIN:
        _copy_attributes(fresh, kind, memo)
    return fresh


def _copy_of_tuple(value: Any, kind: Any, memo: Memo) -> Any:
    items = [copied(item, memo) for item in value]
    if kind is not tuple and all(new is old for new, old in zip(items, value, strict=True)):
        return value
    named: Any = kind
    return named._make(items) if hasattr(named, "_make") else named(items)  # a namedtuple takes them one by one


def _copy_of_array(value: Any, memo: Memo) -> Any:
    fresh = value.copy()
    if value.dtype == object:
        for index, item in enumerate(value.flat):
            fresh.flat[index] = copied(item, memo)
    return fresh


def _copy_items(fresh: Any, base: Any, value: dict[Any, Any], memo: Memo) -> None:
    """Put copies of keys and values into a copy of a dictionary, without code of its class; in their order."""
    keys = [copied(key, memo) for key in value]
    if all(new is old for new, old in zip(keys, value, strict=True)):
        _replace(fresh, base, value.items(), memo)
        return
    values = [copied(item, memo) for item in value.values()]
    base.clear(fresh)
    for key, item in zip(keys, values, strict=True):
        base.__setitem__(fresh, key, item)


def _copy_attributes(fresh: Any, kind: type, memo: Memo) -> None:
    """Copy the attributes of a container of a class of its own, and the fields of a dataclass."""
    if hasattr(fresh, "__dict__"):
        _replace(vars(fresh), dict, vars(fresh).items(), memo)
    if dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            if field.name not in getattr(fresh, "__dict__", {}) and hasattr(fresh, field.name):  # in a slot
                object.__setattr__(fresh, field.name, copied(getattr(fresh, field.name), memo))


def _replace(fresh: Any, base: Any, items: Iterable[tuple[Any, Any]], memo: Memo) -> None:
    """Put copies of items in their places."""
    for place, item in list(items):
        if (other := copied(item, memo)) is not item:
            base.__setitem__(fresh, place, other)
