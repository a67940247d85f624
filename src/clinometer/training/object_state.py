"""The plain state of objects: what training changes outside of parameters, buffers and an optimizer's `state`.

A counter that anneals, a list of tensors, a generator, an optimizer's own step count, a global. `state_of_objects`
walks from some objects through attributes, containers, closures and bound objects, and returns what it finds as
numbers, texts and tensors; `load_objects` puts it into the same objects of a run that was built anew. What can be
neither read nor put back, such as an iterator, is left as it is built: a checkpoint is tried before a run goes on.
"""

import functools
import sys
import types
from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from clinometer.objective.generators import set_generator, state_of_generator
from clinometer.training.libraries import is_own
from clinometer.training.object_kinds import CONTAINERS, PLAIN, WALKED, kind_of, parts_of

_LARGEST = 2**20  # bytes of an array that belongs to no module or optimizer: a larger one is data

Tree = Any  # numbers, text, tensors, arrays, and dicts and lists of them


class CannotRestoreError(ValueError):
    """An object that was built anew lacks the place of what is to be put back."""


def state_of_objects(roots: Mapping[str, Any], known: Mapping[str, Tensor], optimizer: Any = None) -> Tree:
    """The plain state that is reached from some objects.

    Args:
        roots: By name.
        known: Tensors by name that are kept elsewhere: parameters and buffers. Of them the name alone is kept.
        optimizer: The optimizer whose `state_dict` is kept elsewhere.
    """
    return _Reader({id(tensor): name for name, tensor in known.items()}, optimizer).read(dict(roots))


def load_objects(roots: Mapping[str, Any], known: Mapping[str, Tensor], state: Tree, optimizer: Any = None) -> None:
    """Put what `state_of_objects` returned into the same objects, built anew.

    Raises:
        CannotRestoreError: if an object is not there that had some state.
    """
    _Writer(known, optimizer).write(dict(roots), state)


def user_globals(modules: tuple[str, ...]) -> dict[str, types.ModuleType]:
    """Those of some modules that are the user's own; `__main__` is left out, which no worker has."""
    found = {name: sys.modules[name] for name in modules if name in sys.modules}
    main = sys.modules["__main__"]
    return {name: module for name, module in found.items() if module is not main and is_own(module)}


class _Reader:
    def __init__(self, known: dict[int, str], optimizer: Any) -> None:
        self._known, self._optimizer = known, optimizer
        self._seen: dict[int, tuple[int, Any]] = {}  # id to number and object, kept alive

    def read(self, value: Any, large: bool = False) -> Tree:
        if type(value) in PLAIN:
            return value
        if id(value) in self._known:
            return {"known": self._known[id(value)]}
        if id(value) in self._seen:
            return {"seen": self._seen[id(value)][0]}
        kind = kind_of(value)
        if kind == "opaque":
            return {"opaque": type(value).__qualname__}
        self._seen[id(value)] = (number := len(self._seen), value)
        return {kind: number, "of": self._content(kind, value, large or isinstance(value, WALKED))}

    def _content(self, kind: str, value: Any, large: bool) -> Tree:
        if kind == "scalar":
            return np.asarray(value)
        if kind in ("tensor", "array"):
            return value if large or value.nbytes <= _LARGEST else None
        if kind == "generator":
            return self.read(state_of_generator(value))
        if kind == "dict":
            return [[self.read(key), self.read(each, large)] for key, each in value.items()]
        if kind in ("list", "tuple", "deque"):
            return [self.read(each, large) for each in value]
        if kind == "set":
            return [self.read(each) for each in sorted(value, key=repr)]
        return {name: self.read(each, large) for name, each in parts_of(value, self._optimizer)}


class _Writer:
    def __init__(self, known: Mapping[str, Tensor], optimizer: Any) -> None:
        self._known, self._optimizer = known, optimizer
        self._made: dict[int, Any] = {}

    def write(self, now: Any, tree: Tree) -> Any:
        """What belongs where `now` is: `now` itself with its state put back, wherever it can be changed in place."""
        if not isinstance(tree, dict):
            return tree
        (kind, number), *_ = tree.items()
        if kind == "known":
            return self._known[number]
        if kind == "seen":
            return self._made[number]
        if kind == "opaque":
            if type(now).__qualname__ != number:
                raise CannotRestoreError(f"a {number} cannot be made anew")
            return now
        if kind not in ("tensor", "array", "scalar", *(each.__name__ for each in CONTAINERS)) and kind_of(now) != kind:
            raise CannotRestoreError(f"where training had left an object ({kind}) there is none at first")
        self._made[number] = now
        self._made[number] = made = self._put(kind, now, tree["of"])
        return made

    def _put(self, kind: str, now: Any, content: Tree) -> Any:
        if kind == "tensor":
            return _tensor(now, content)
        if kind == "array":
            return now if content is None else content.copy()
        if kind == "scalar":
            return content.reshape(())[()]
        if kind == "generator":
            set_generator(now, self.write(None, content))
        elif kind == "dict":
            return self._dict(now, content)
        elif kind in ("list", "tuple", "deque", "set"):
            return self._sequence(kind, now, content)
        else:
            parts = dict(parts_of(now, self._optimizer))
            for name, each in content.items():
                if name not in parts and isinstance(each, dict) and "opaque" in each:
                    continue  # made when it is first used
                _set(now, name, self.write(parts.get(name), each), parts)
            for name in parts.keys() - content.keys():
                _delete(now, name)
        return now

    def _dict(self, now: Any, content: Tree) -> Any:
        kept = now if isinstance(now, dict) else {}
        before = dict(cast("dict[Any, Any]", kept))
        pairs = [(self.write(None, key), each) for key, each in content]
        found = {key: self.write(before.get(key), each) for key, each in pairs}
        kept.clear()
        kept.update(found)
        return kept

    def _sequence(self, kind: str, now: Any, content: Tree) -> Any:
        before = list(now) if kind_of(now) == kind and kind != "set" else []
        found = [self.write(before[i] if i < len(before) else None, each) for i, each in enumerate(content)]
        if kind == "tuple":
            same = isinstance(now, tuple) and len(found) == len(before)
            if same and all(one is other for one, other in zip(found, before, strict=True)):
                return now
            return type(now)(*found) if hasattr(now, "_fields") else tuple(found)
        if kind_of(now) != kind:
            return {"list": list, "deque": deque, "set": set}[kind](found)
        now.clear()
        (now.update if kind == "set" else now.extend)(found)
        return now


def _set(where: Any, name: str, value: Any, parts: Mapping[str, Any]) -> None:
    if name in parts and (parts[name] is value or (type(value) in PLAIN and parts[name] == value)):
        return
    if isinstance(where, types.FunctionType) and not name.startswith("."):
        cells = dict(zip(where.__code__.co_freevars, where.__closure__ or (), strict=True))
        cells[name].cell_contents = value
    elif isinstance(where, types.FunctionType):
        vars(where)[name[1:]] = value
    elif isinstance(where, types.MethodType | functools.partial) or name.endswith("hooks"):
        if name == "args" or name == "keywords" or name.endswith("hooks"):
            return  # what they hold was changed in place
        raise CannotRestoreError(f"{name} of {type(where).__name__} is another object than at first")
    elif isinstance(where, type):
        setattr(where, name, value)
    else:
        vars(where)[name] = value


def _delete(where: Any, name: str) -> None:
    if not isinstance(where, types.FunctionType | types.MethodType | functools.partial) and not name.endswith("hooks"):
        delattr(where, name) if isinstance(where, type) else vars(where).pop(name, None)


def _tensor(now: Any, content: Tensor | None) -> Any:
    """The tensor that is there with the kept numbers, or the kept one where it has another type or shape."""
    if content is None:
        return now
    if isinstance(now, Tensor) and (now.shape, now.dtype, now.device) == (content.shape, content.dtype, content.device):
        with torch.no_grad():
            now.copy_(content)
        return now
    return content.clone()
