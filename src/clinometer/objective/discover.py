"""Finds what evaluating a loss uses besides its arguments: other modules, random generators, and bare tensors.

A generator's loss uses the discriminator, a distillation loss its teacher, a diffusion loss a generator of its own.
They are reached by closure, global, default, partial, bound object, attribute, container or hook. They are not part of
the model, but evaluating the loss runs them, and what they hold must stay as it is.
"""

import contextlib
import functools
import sys
import types
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clinometer.objective.generators import GENERATORS

_DEEPEST = 4  # attributes of attributes: as deep as training scripts keep a network
_LONGEST = 1000  # a longer container holds data, not networks
_ATOMS = {type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size}
_REGISTERED = ("_parameters", "_buffers", "_modules")
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinMethodType, functools.partial)
_TRANSPARENT = (*_CONTAINERS, types.MethodType, functools.partial)  # what they hold is no deeper than they are
_HOLDERS = (*_CONTAINERS, *_FUNCTIONS, *GENERATORS, Tensor, nn.Module)
_WALKED = ("torch.utils.data", "torch.distributions")  # objects of torch's own that hold the user's
_MACHINERY = (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)  # they hold what no loss is computed from
_RECORDER = "clinometer.recorder"  # its objects hold copies of parameters
_PROGRAMS = ("torch", "numpy", "builtins")  # their objects hold none of the user's, but for `_WALKED`


@dataclass(frozen=True)
class Reached:
    """What is reached from some objects. Nothing is listed twice."""

    modules: tuple[nn.Module, ...]  # the outermost
    generators: tuple[Any, ...]  # torch's, NumPy's and Python's; those inside modules are among them
    tensors: tuple[Tensor, ...]  # leaves, but for those that are reached through a module that has registered them
    parents: Mapping[Any, Any]  # of an item by its identity, what referred to it

    def path_to(self, item: Any) -> str:
        """The names by which an item is reached, joined by dots, but for those of functions.

        Example:
            >>> weights = {"first": torch.ones(1, requires_grad=True)}
            >>> reached = reached_by(lambda model, x: weights["first"] * x)
            >>> reached.path_to(reached.tensors[0])
            'weights.first'
        """
        labels: list[str] = []
        while (parent := self.parents.get(_identity(item))) is not None:
            labels += [] if _is(item, _FUNCTIONS) else [_label(parent, item)]
            item = parent
        return ".".join(label for label in reversed(labels) if label not in ("", "self"))


def reached_by(*starts: Any) -> Reached:
    """The modules, generators and bare tensors that are reached from functions, modules, or any other objects.

    Example:
        >>> teacher, noise = nn.Linear(1, 1), torch.Generator()
        >>> weight = torch.ones((), requires_grad=True)
        >>> loss_fn = lambda model, x: weight * (model(x) - teacher(x)) + torch.randn((), generator=noise)
        >>> reached = reached_by(loss_fn)
        >>> reached.modules, reached.tensors, reached.generators[0] is noise
        ((Linear(in_features=1, out_features=1, bias=True),), (tensor(1., requires_grad=True),), True)
    """
    modules: list[nn.Module] = []
    generators: list[Any] = []
    tensors: list[Tensor] = []
    visited: dict[Any, Any] = {}  # the objects are kept alive, so that no other object gets the same id
    parents: dict[Any, Any] = {}
    waiting: deque[tuple[Any, int, bool, Any]]  # object, depth, whether a module registered it, what refers to it
    waiting = deque((start, 0, False, None) for start in starts)
    while waiting:
        item, depth, inner, parent = waiting.popleft()
        if depth > _DEEPEST or type(item) in _ATOMS or (key := _identity(item)) in visited:
            continue
        visited[key], parents[key] = item, parent
        if _is(item, GENERATORS):
            generators.append(item)
        elif _is(item, Tensor):
            tensors += [item] if item.is_leaf else []
        elif _is(item, nn.Module):
            modules += [] if inner else [item]
            waiting.extendleft((each, depth, True, item) for each in item._modules.values() if each is not None)
            waiting.extend((each, depth + 1, False, item) for each in _references_of_module(item))
        elif _is(item, _TRANSPARENT):
            waiting.extendleft((each, depth, False, item) for each in _references(item))
        else:
            waiting.extend((each, depth + 1, False, item) for each in _references(item))
    return Reached(tuple(modules), tuple(generators), tuple(tensors), parents)


def _identity(item: Any) -> Any:
    """What two references to one object share; a bound method is another object each time that it is asked for."""
    return (id(item.__self__), id(item.__func__)) if type(item) is types.MethodType else id(item)


def _is(item: Any, kind: Any) -> bool:
    """As `isinstance`, without asking the object for its `__class__`: a proxy may run code, or raise, for that."""
    return issubclass(type(item), kind)


def _references_of_module(module: nn.Module) -> Iterator[Any]:
    """What a module keeps in plain attributes and hooks, and its `forward`."""
    for name, value in vars(module).items():
        kind = type(value)
        if name in _REGISTERED or kind in _ATOMS or (kind in (dict, OrderedDict, list) and not value):
            continue
        # Not the objects of installed packages: a trainer leads to all that the program has.
        if isinstance(value, _HOLDERS) or not _is_third_party(kind.__module__):
            yield value
    forward = getattr(type(module), "forward", None)
    if isinstance(forward, types.FunctionType) and not _is_installed(forward.__module__):
        yield types.MethodType(forward, module)


def _references(item: Any) -> Iterable[Any]:
    """The objects that an object refers to and that may be what is looked for, or lead to it."""
    if _is(item, types.FunctionType):
        return _references_of_function(item)
    if _is(item, types.MethodType):
        function = item.__func__
        names = _names(function.__code__) if isinstance(function, types.FunctionType) else ()
        return (*_mentioned(item.__self__, names), function)
    if _is(item, types.BuiltinMethodType):  # a bound method of a generator, such as `rng.normal`
        return () if isinstance(item.__self__, types.ModuleType) else (item.__self__,)
    if _is(item, functools.partial):
        return (item.func, *item.args, *item.keywords.values())
    if _is(item, _CONTAINERS):
        values = item.values() if _is(item, dict) else item
        few = len(item) <= _LONGEST and not _ATOMS.issuperset(map(type, values))
        return (*(values if few else ()), *getattr(item, "__dict__", {}).values())
    if _is(item, np.ndarray):
        return item.flat if item.dtype == object and item.size <= _LONGEST else ()
    if _is(item, type | types.ModuleType):
        return ()
    return _references_of_object(item)


def _references_of_object(item: Any) -> Iterator[Any]:
    kind = type(item)
    if _is(item, _MACHINERY) or kind.__module__.startswith(_RECORDER):
        return
    if kind.__module__.partition(".")[0] in _PROGRAMS and not kind.__module__.startswith(_WALKED):
        return
    yield from (value for _, value in _attributes(item))
    call = getattr(kind, "__call__", None)  # noqa: B004  (the function itself is wanted)
    if isinstance(call, types.FunctionType):
        yield types.MethodType(call, item)


def _attributes(item: Any) -> Iterator[tuple[str, Any]]:
    """An object's attributes, read without running code of its own."""
    with contextlib.suppress(AttributeError):
        yield from object.__getattribute__(item, "__dict__").items()
    for kind in type(item).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            descriptor = vars(kind).get(name)
            if isinstance(descriptor, types.MemberDescriptorType):
                with contextlib.suppress(AttributeError):  # not assigned yet
                    yield name, descriptor.__get__(item)


def _references_of_function(function: types.FunctionType) -> Iterator[Any]:
    if (function.__module__ or "").partition(".")[0] in _PROGRAMS:
        return
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from vars(function).values()
    names = _names(function.__code__)
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not filled yet
            if cell.cell_contents is not function:
                yield from _mentioned(cell.cell_contents, names)
    if not _is_installed(function.__module__):
        for name in names & function.__globals__.keys():
            yield from _mentioned(function.__globals__[name], names)


def _mentioned(item: Any, names: Iterable[str], depth: int = 0) -> Iterator[Any]:
    """An object, and what code that mentions these names may take from it if it is a Python module or of a class."""
    if _is(item, types.ModuleType):
        if depth < _DEEPEST and not _is_installed(item.__name__):
            for name in vars(item).keys() & names:
                yield from _mentioned(vars(item)[name], names, depth + 1)
        return
    yield item
    of_instance = not _is(item, type)
    for kind in (type(item) if of_instance else item).__mro__:
        if not _is_installed(kind.__module__):
            for name in vars(kind).keys() & names:
                value = _unwrapped(vars(kind)[name])
                bound = of_instance and isinstance(value, types.FunctionType)
                yield types.MethodType(value, item) if bound else value


def _unwrapped(attribute: Any) -> Any:
    """The function of a property, a class method or a static method; anything else as it is."""
    if isinstance(attribute, property):
        return attribute.fget
    if isinstance(attribute, functools.cached_property):
        return attribute.func
    return attribute.__func__ if isinstance(attribute, classmethod | staticmethod) else attribute


def _names(code: types.CodeType) -> set[str]:
    """The global names and attributes that code mentions, also in the functions and comprehensions inside it."""
    inside = (_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*inside)


def _label(parent: Any, child: Any) -> str:
    """What a child is called where its parent refers to it; nothing if it has no name there."""
    return next((str(name) for name, value in _named(parent) if value is child), "")


def _named(parent: Any) -> Iterator[tuple[Any, Any]]:
    """What an object refers to, with names."""
    if _is(parent, types.FunctionType):
        code, defaults = parent.__code__, parent.__defaults__ or ()
        for name, cell in zip(code.co_freevars, parent.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # not filled yet
                yield name, cell.cell_contents
        yield from zip(code.co_varnames[code.co_argcount - len(defaults) :], defaults, strict=False)
        yield from (parent.__kwdefaults__ or {}).items()
        yield from ((name, parent.__globals__.get(name)) for name in _names(code))
    elif _is(parent, functools.partial):
        yield from parent.keywords.items()
    elif _is(parent, dict):
        yield from parent.items()
    elif _is(parent, list | tuple | deque):
        yield from enumerate(parent)
    yield from _attributes(parent)
    if _is(parent, nn.Module):
        yield from parent._modules.items()


def _is_installed(module: str | None) -> bool:
    """Whether a Python module is one of Python's own or of an installed package, and not the user's."""
    return (module or "").partition(".")[0] in sys.stdlib_module_names or _is_third_party(module)


@functools.lru_cache(maxsize=4096)
def _is_third_party(module: str | None) -> bool:
    file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
    installed = "site-packages" in file or "dist-packages" in file
    return installed and not (module or "").startswith(_WALKED)
