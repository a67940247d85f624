"""What training itself minimised, seen as it happens, to hold against what `loss_fn` says.

The loop's loss never passes through the recorder. But `.backward()` is called on it, inside the block of a scheduled
step: there, and only there, that call is looked at.
"""

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_watching: weakref.WeakSet["Witness"] = weakref.WeakSet()
_Scaler: Any = torch.amp.GradScaler


class Witness:
    """The loss that training called `.backward()` on during one step: summed over its batches, unscaled.

    Passes from other places than where the step started are left out: LBFGS and SAM look around before they step.
    Networks that are not the recorder's are, too.

    Args:
        parameters: The parameters of the recorder's model.
    """

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        self.loss: float | None = None
        self.rounded = False  # autocast took part
        self.foreign = False  # other networks' parameters were trained
        self._ours = {id(p) for p in parameters.values()}
        self._first = next(iter(parameters.values()))
        self._version = self._first._version

    def watch(self) -> None:
        """Look at backward passes from now on."""
        if not _watching:
            torch.autograd.backward, _Scaler.scale = _backward, _scale
        _watching.add(self)

    def rest(self) -> None:
        """Look no more."""
        _watching.discard(self)
        if not _watching:
            torch.autograd.backward, _Scaler.scale = _torch_backward, _torch_scale

    def see(self, losses: Iterable[Tensor]) -> None:
        """Take note of the scalars that a backward pass starts from."""
        for loss in losses:
            leaves, rounded = _leaves(loss)
            if not leaves & self._ours:
                self.foreign |= bool(leaves)  # none at all: the graph is hidden, as in a reentrant checkpoint
            elif loss.numel() == 1 and self._first._version == self._version:
                scaled, factor = _last_scaled
                self.loss = (self.loss or 0.0) + float(loss.detach()) / (factor if loss is scaled() else 1.0)
                self.rounded |= rounded


def _leaves(loss: Tensor) -> tuple[set[int], bool]:
    """The identities of the parameters in a loss's graph, and whether weights were cast on the way."""
    waiting: list[Any] = [loss.grad_fn]
    met: set[Any] = set()
    leaves: set[int] = set()
    cast = False
    while waiting:
        node = waiting.pop()
        if node is None or node in met:
            continue
        met.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, nn.Parameter):
            leaves.add(id(leaf))
        cast |= node.name() == "ToCopyBackward0"
        waiting.extend(previous for previous, _ in node.next_functions)
    return leaves, cast


_torch_backward: Any = torch.autograd.backward
_torch_scale: Any = _Scaler.scale
_last_scaled: tuple[Any, float] = (lambda: None, 1.0)  # a reference that keeps no graph alive, and the factor


def _backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
    for witness in list(_watching):
        witness.see([tensors] if isinstance(tensors, Tensor) else tensors)
    return _torch_backward(tensors, *args, **kwargs)


def _scale(scaler: Any, outputs: Any) -> Any:
    global _last_scaled
    scaled = _torch_scale(scaler, outputs)
    _last_scaled = weakref.ref(scaled), float(scaler.get_scale())
    return scaled
