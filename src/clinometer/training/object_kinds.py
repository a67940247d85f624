"""How each kind of object keeps what training changes, and where: what `object_state.py` reads and puts back."""

import functools
import random
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clinometer.objective.generators import GENERATORS
from clinometer.training.libraries import is_own

PLAIN = (type(None), bool, int, float, str)
_KEPT_ELSEWHERE = ("state", "param_groups", "defaults")  # of the run's optimizer: its `state_dict` has them
WALKED = (nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler, types.SimpleNamespace)
CONTAINERS = (list, tuple, set, dict, deque)


def kind_of(value: Any) -> str:
    """How a value is read and put back; "opaque" where it is not."""
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, np.generic):
        return "scalar" if value.dtype.kind in "biuf" else "opaque"
    if isinstance(value, np.ndarray):
        return "opaque" if value.dtype.kind not in "biuf" else "array"
    if isinstance(value, GENERATORS):
        return "opaque" if isinstance(value, random.SystemRandom) else "generator"
    if type(value) in (dict, OrderedDict, defaultdict, Counter):
        return "dict"
    for kind in (list, set, deque):
        if type(value) is kind:
            return kind.__name__
    if isinstance(value, tuple):
        return "tuple"
    if isinstance(value, types.MethodType | functools.partial):
        return "function"
    if isinstance(value, types.FunctionType):
        return "function" if is_own(value) else "opaque"
    if isinstance(value, types.ModuleType | type):
        return "namespace" if is_own(value) else "opaque"
    return "object" if isinstance(value, WALKED) or (hasattr(value, "__dict__") and is_own(type(value))) else "opaque"


def parts_of(value: Any, optimizer: Any) -> Iterator[tuple[str, Any]]:
    """What a function, a namespace or an object holds, by name."""
    if isinstance(value, types.MethodType):
        yield "__self__", value.__self__
    elif isinstance(value, functools.partial):
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            if cell != types.CellType():  # one that is empty
                yield name, cell.cell_contents
        yield from ((f".{name}", each) for name, each in vars(value).items() if name != "__wrapped__")
    elif isinstance(value, types.ModuleType | type):
        yield from ((name, each) for name, each in vars(value).items() if not _is_definition(name, each))
    else:
        for name, each in vars(value).items():
            if name.endswith("hooks") and isinstance(each, dict):
                yield name, list(each.values())  # their keys are counted through the whole process
            elif not (value is optimizer and name in _KEPT_ELSEWHERE):
                yield name, each


def _is_definition(name: str, value: Any) -> bool:
    """Whether a name of a module or a class is nothing that training changes."""
    if name.startswith("__"):
        return True
    return not isinstance(value, (*PLAIN, *CONTAINERS, type)) and kind_of(value) not in (
        "tensor", "array", "generator", "object", "function",
    )  # fmt: skip
