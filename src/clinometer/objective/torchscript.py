"""TorchScript modules inside a model: their state is not Python's to swap, so torch swaps it."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn
from torch.func import functional_call

from clinometer.objective.params import Point

T = TypeVar("T")


class Scripted:
    """The TorchScript part of a model, with its buffers as they are now; most models have none."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        parts = [(name, m) for name, m in model.named_modules() if isinstance(m, torch.jit.ScriptModule)]
        self._any = bool(parts)
        self._buffers = {
            f"{owner}.{name}".lstrip("."): buffer.detach().clone()
            for owner, module in parts
            for name, buffer in module.named_buffers(recurse=False)
        }

    def run(self, work: Callable[[], T], leaves: Point) -> T:
        """`work()`, with `leaves` as parameters and clones as buffers of the TorchScript modules."""
        if not self._any:
            return work()
        placed = {**leaves, **{name: buffer.clone() for name, buffer in self._buffers.items()}}
        return functional_call(_Program(self._model, work), {f"model.{name}": t for name, t in placed.items()}, ())


class _Program(nn.Module):
    """Work on a model as a module's forward pass, which is what `functional_call` wraps."""

    def __init__(self, model: nn.Module, work: Callable[[], Any]) -> None:
        super().__init__()
        self.model = model
        self.work = work

    def forward(self) -> Any:
        return self.work()
