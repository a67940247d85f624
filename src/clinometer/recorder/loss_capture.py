"""The loss that training minimises, captured as the loop calls `.backward()` on it, to compare with `loss_fn`'s value.

The loop's loss never passes through the recorder. So `torch.autograd.backward` and `GradScaler.scale` are patched while
a scheduled step is under way, and at no other time.
"""

import functools
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.gradients import graph_nodes

_CAST_NODE, _COMPILED_NODE = "ToCopyBackward0", "CompiledFunctionBackward"

_capturing: weakref.WeakSet["LossCapture"] = weakref.WeakSet()
_scales: dict[Any, float] = {}  # the factor of a GradScaler's multiplication, by the graph's node that performs it
_Scaler: Any = torch.amp.GradScaler
_torch_backward: Any = torch.autograd.backward
_torch_scale: Any = _Scaler.scale


class LossCapture:
    """The loss that training called `.backward()` on during one step: summed over its batches, unscaled.

    Left out are passes from other parameters than the step started from, with which LBFGS and SAM look around before
    they step, and passes of other networks.

    Args:
        leaves: Gives the tensors that graphs of the recorder's model end in.
        elsewhere: Whether its parameters differ now from those that the step started from.
    """

    def __init__(self, leaves: Callable[[], Iterable[Tensor]], elsewhere: Callable[[], bool]) -> None:
        self.loss: float | None = None
        self.compiled = False  # compiled code took part
        self.cast = False  # autocast took part, or may have: code compiled into one node shows no casts
        self.foreign = False  # other networks' parameters were trained
        self._leaves = leaves
        self._elsewhere = elsewhere

    def start(self) -> None:
        """Capture backward passes from now on."""
        if not _capturing:
            torch.autograd.backward, _Scaler.scale = _patched()
        _capturing.add(self)

    def stop(self) -> None:
        """Capture no more, and let go of the step: it holds this, so both would live until garbage is collected."""
        _capturing.discard(self)
        self._leaves, self._elsewhere = tuple, bool
        if not _capturing:
            _restore()

    def on_backward(self, losses: Iterable[Tensor], weights: Iterable[Tensor | None]) -> None:
        """Capture the scalars that a backward pass starts from, each times its weight."""
        ours = {id(leaf) for leaf in self._leaves()}
        for loss, weight in zip(losses, weights, strict=True):
            nodes = graph_nodes(loss)
            leaves = {id(leaf) for node in nodes if isinstance(leaf := getattr(node, "variable", None), nn.Parameter)}
            if not leaves & ours:
                self.foreign |= bool(leaves)  # none at all: the graph is hidden, as in a reentrant checkpoint
            elif loss.numel() == 1 and not self._elsewhere():
                scale = next((scale for node, scale in _scales.items() if node in nodes), 1.0)
                value = float(loss.detach()) / scale * (1.0 if weight is None else float(weight))
                self.loss = (self.loss or 0.0) + value
                names = {node.name() for node in nodes}
                self.compiled |= _COMPILED_NODE in names
                self.cast |= bool(names & {_CAST_NODE, _COMPILED_NODE})


@functools.cache  # and not at import: torch.compiler loads for seconds
def _patched() -> tuple[Any, Any]:
    """The patched `torch.autograd.backward` and `GradScaler.scale`, left uncompiled in a compiled training step."""

    def backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
        losses = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        _capture(losses, grad_tensors)
        return _torch_backward(losses, grad_tensors, *args, **kwargs)

    def scale(scaler: Any, outputs: Any) -> Any:
        scaled = _torch_scale(scaler, outputs)
        _remember_scale(scaler, scaled)
        return scaled

    return torch.compiler.disable(backward), torch.compiler.disable(scale)


def _restore() -> None:
    torch.autograd.backward, _Scaler.scale = _torch_backward, _torch_scale
    _scales.clear()


def _capture(losses: tuple[Tensor, ...], grad_tensors: Any) -> None:
    given = (grad_tensors,) if isinstance(grad_tensors, Tensor | None) else tuple(grad_tensors)
    weights = given if len(given) == len(losses) else (None,) * len(losses)
    for capture in list(_capturing):
        capture.on_backward(losses, weights)
    if not _capturing:  # their recorders were collected while a step was under way
        _restore()


def _remember_scale(scaler: Any, scaled: Any) -> None:
    for each in scaled if isinstance(scaled, list | tuple) else (scaled,):
        if isinstance(each, Tensor) and each.grad_fn is not None:
            _scales[each.grad_fn] = float(scaler.get_scale())
