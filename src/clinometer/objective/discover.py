"""Finds the modules that a loss function uses besides the model: by closure, default, partial, bound object or global.

A generator's loss uses the discriminator, a distillation loss its teacher. They are not part of the model, but
evaluating the loss runs them, and their running statistics and generators must stay as they are.
"""

import contextlib
import functools
import types
from collections.abc import Iterator
from typing import Any

from torch import nn

_DEEPEST = 4  # attributes of attributes: as deep as training scripts keep a network
_LONGEST = 1000  # a longer list holds data, not networks
_LIBRARIES = ("torch", "numpy", "builtins")


def modules_used_by(function: Any) -> list[nn.Module]:
    """The outermost modules that calling `function` may run.

    Example:
        >>> teacher = nn.Linear(1, 1)
        >>> modules_used_by(lambda model, x: model(x) - teacher(x))
        [Linear(in_features=1, out_features=1, bias=True)]
    """
    modules: dict[int, nn.Module] = {}
    visited: set[int] = set()
    waiting: list[tuple[Any, int]] = [(function, 0)]
    while waiting:
        item, depth = waiting.pop()
        if id(item) in visited or depth > _DEEPEST:
            continue
        visited.add(id(item))
        if isinstance(item, nn.Module):
            modules[id(item)] = item
        else:
            waiting += [(each, depth + 1) for each in _references(item)]
    return list(modules.values())


def _references(item: Any) -> Iterator[Any]:
    """The objects that an object refers to and that may be modules or lead to one."""
    if isinstance(item, types.FunctionType):
        yield from _references_of_function(item)
    elif isinstance(item, types.MethodType):
        yield item.__self__
        yield item.__func__
    elif isinstance(item, functools.partial):
        yield from (item.func, *item.args, *item.keywords.values())
    elif isinstance(item, list | tuple | dict):
        if len(item) <= _LONGEST:
            yield from item.values() if isinstance(item, dict) else item
    elif not isinstance(item, type | types.ModuleType) and not type(item).__module__.startswith(_LIBRARIES):
        yield from getattr(item, "__dict__", {}).values()


def _references_of_function(function: types.FunctionType) -> Iterator[Any]:
    if function.__module__ and function.__module__.startswith(_LIBRARIES):
        return
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not filled yet
            if cell.cell_contents is not function:
                yield cell.cell_contents
    for name in _global_names(function.__code__):
        if name in function.__globals__:
            yield function.__globals__[name]


def _global_names(code: types.CodeType) -> Iterator[str]:
    """The global names that code mentions, also in the functions and comprehensions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)
