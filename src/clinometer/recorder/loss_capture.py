"""What training itself minimised, seen as it happens, to hold against what `loss_fn` says.

The loop's loss never passes through the recorder. But `.backward()` is called on it, inside the block of a scheduled
step: there, and only there, that call is looked at.
"""

import functools
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

_CAST, _COMPILED = "ToCopyBackward0", "CompiledFunctionBackward"  # nodes of a graph

_watching: weakref.WeakSet["LossCapture"] = weakref.WeakSet()
_scaled: dict[Any, float] = {}  # by what factor a scaler multiplied, by the node of the graph that does so
_Scaler: Any = torch.amp.GradScaler


class LossCapture:
    """The loss that training called `.backward()` on during one step: summed over its batches, unscaled.

    Passes from other places than where the step started are left out: LBFGS and SAM look around before they step.
    Networks that are not the recorder's are, too.

    Args:
        leaves: What the graphs of the recorder's model end in, asked for at a backward pass.
        moved: Whether its parameters are elsewhere than where the step started.
    """

    def __init__(self, leaves: Callable[[], Iterable[Tensor]], moved: Callable[[], bool]) -> None:
        self.loss: float | None = None
        self.compiled = False  # compiled code took part
        self.rounded = False  # autocast took part, or may have: what was compiled into one node shows no casts
        self.foreign = False  # other networks' parameters were trained
        self._leaves = leaves
        self._moved = moved

    def watch(self) -> None:
        """Look at backward passes from now on."""
        if not _watching:
            torch.autograd.backward, _Scaler.scale = _patches()
        _watching.add(self)

    def rest(self) -> None:
        """Look no more."""
        _watching.discard(self)
        if not _watching:
            _restore()

    def see(self, losses: Iterable[Tensor], weights: Iterable[Tensor | None]) -> None:
        """Take note of the scalars that a backward pass starts from, and of what it multiplies each by."""
        ours = {id(leaf) for leaf in self._leaves()}
        for loss, weight in zip(losses, weights, strict=True):
            nodes = _graph(loss)
            leaves = {id(leaf) for node in nodes if isinstance(leaf := getattr(node, "variable", None), nn.Parameter)}
            if not leaves & ours:
                self.foreign |= bool(leaves)  # none at all: the graph is hidden, as in a reentrant checkpoint
            elif loss.numel() == 1 and not self._moved():
                factor = next((factor for node, factor in _scaled.items() if node in nodes), 1.0)
                value = float(loss.detach()) / factor * (1.0 if weight is None else float(weight))
                self.loss = (self.loss or 0.0) + value
                names = {node.name() for node in nodes}
                self.compiled |= _COMPILED in names
                self.rounded |= bool(names & {_CAST, _COMPILED})


def _graph(loss: Tensor) -> set[Any]:
    """The nodes that a loss was computed by."""
    waiting: list[Any] = [loss.grad_fn]
    met: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in met:
            met.add(node)
            waiting.extend(previous for previous, _ in node.next_functions)
    return met


_torch_backward: Any = torch.autograd.backward
_torch_scale: Any = _Scaler.scale


@functools.cache
def _patches() -> tuple[Any, Any]:
    """Stand-ins for backward and for the scaler's method, which a compiled training step is to leave uncompiled."""

    def backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
        losses = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        _look(losses, grad_tensors)
        return _torch_backward(losses, grad_tensors, *args, **kwargs)

    def scale(scaler: Any, outputs: Any) -> Any:
        scaled = _torch_scale(scaler, outputs)
        _note(scaler, scaled)
        return scaled

    return torch.compiler.disable(backward), torch.compiler.disable(scale)


def _restore() -> None:
    torch.autograd.backward, _Scaler.scale = _torch_backward, _torch_scale
    _scaled.clear()


def _look(losses: tuple[Tensor, ...], grad_tensors: Any) -> None:
    given = (grad_tensors,) if isinstance(grad_tensors, Tensor | None) else tuple(grad_tensors)
    weights = given if len(given) == len(losses) else (None,) * len(losses)
    for witness in list(_watching):
        witness.see(losses, weights)
    if not _watching:  # they went away without a word, with their recorders
        _restore()


def _note(scaler: Any, scaled: Any) -> None:
    for each in scaled if isinstance(scaled, list | tuple) else (scaled,):
        if isinstance(each, Tensor) and each.grad_fn is not None:
            _scaled[each.grad_fn] = float(scaler.get_scale())
