"""The losses that training minimises, captured as the loop calls `.backward()` on them.

The loop's loss never passes through the recorder. So `torch.autograd.backward` and `GradScaler.scale` are patched while
a scheduled step is under way, and at no other time.
"""

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.gradients import graph_nodes

_CAST_NODE, _COMPILED_NODE = "ToCopyBackward0", "CompiledFunctionBackward"

_capturing: weakref.WeakSet["LossCapture"] = weakref.WeakSet()
_patching = threading.RLock()  # recorders in several threads start and stop
_scales: dict[Any, float] = {}  # the factor of a GradScaler's multiplication, by the graph's node that performs it
_Scaler: Any = torch.amp.GradScaler
_torch_backward: Any = torch.autograd.backward
_torch_scale: Any = _Scaler.scale


@dataclass(frozen=True)
class BackwardPass:
    """One loss on which the loop called `.backward()`."""

    batch: int  # the batch that the loop had begun last, counted from 0 within the step
    loss: float  # unscaled
    weight: float  # what the pass multiplied its gradient by: the argument of `.backward()`


class LossCapture:
    """The backward passes of one step that reach the recorder's parameters.

    Passes from other parameters than the step started from, with which LBFGS and SAM look around before they step, are
    not among them, nor are passes of other networks, nor those whose gradients the loop cleared before the next pass,
    as adversarial training does.

    Args:
        leaves: Gives the tensors that graphs of the recorder's model end in.
        elsewhere: Whether its parameters differ now from those that the step started from.
        holds_gradients: Whether any of its parameters has a gradient that is not zero.
    """

    def __init__(
        self,
        leaves: Callable[[], Iterable[Tensor]],
        elsewhere: Callable[[], bool],
        holds_gradients: Callable[[], bool],
    ) -> None:
        self.passes: list[BackwardPass] = []
        self.batch = 0  # the batch that the loop works on
        self.looked_around = False  # a pass came from elsewhere
        self.looking_around = False  # an optimizer is making passes from elsewhere, as it says of itself
        self.compiled = False  # compiled code took part
        self.cast = False  # autocast took part, or may have: code compiled into one node shows no casts
        self.foreign = False  # other networks' parameters were trained
        self.bare = False  # tensors were trained that are nobody's parameters
        self.error: Exception | None = None  # that capturing raised; the loop's own pass goes on
        self._leaves = leaves
        self._elsewhere = elsewhere
        self._holds_gradients = holds_gradients
        self.left_gradients = False  # the last pass did
        self._thread = threading.get_ident()  # the loop's

    @property
    def loss(self) -> float | None:
        """The sum of the losses, each times its weight; None without a pass."""
        return sum(each.loss * each.weight for each in self.passes) if self.passes else None

    def start(self) -> None:
        """Capture backward passes from now on."""
        self._thread = threading.get_ident()
        with _patching:
            if not _capturing:
                torch.autograd.backward, _Scaler.scale = _patched()
            _capturing.add(self)

    def stop(self) -> None:
        """Capture no more, and let go of the step: it holds this, so both would live until garbage is collected."""
        with _patching:
            _capturing.discard(self)
            _restore_if_unused()
        self._leaves, self._elsewhere, self._holds_gradients = tuple, bool, bool

    def on_backward(self, losses: Iterable[Tensor], weights: Iterable[Tensor | None]) -> None:
        """Capture the scalars that a backward pass starts from."""
        ours = {id(leaf) for leaf in self._leaves()}
        cleared = self.left_gradients and not self._holds_gradients()  # no step will use those of earlier passes
        for loss, weight in zip(losses, weights, strict=True):
            nodes = graph_nodes(loss)
            leaves = [leaf for node in nodes if (leaf := getattr(node, "variable", None)) is not None]
            if ours.isdisjoint(map(id, leaves)):  # no leaf at all: the graph is hidden, as in a reentrant checkpoint
                if threading.get_ident() != self._thread:
                    continue  # another thread trains another network
                foreign = any(isinstance(leaf, nn.Parameter) for leaf in leaves)
                self.foreign |= foreign
                self.bare |= bool(leaves) and not foreign
            elif self.looking_around or self._elsewhere():
                self.looked_around = True
            elif loss.numel() == 1:
                if cleared:
                    self.passes.clear()
                    cleared = False
                scale = next((scale for node, scale in _scales.items() if node in nodes), 1.0)
                given = 1.0 if weight is None else float(weight)
                self.passes.append(BackwardPass(self.batch, float(loss.detach()) / scale, given))
                names = {node.name() for node in nodes}
                self.compiled |= _COMPILED_NODE in names
                self.cast |= bool(names & {_CAST_NODE, _COMPILED_NODE})

    @contextlib.contextmanager
    def guarded(self) -> Generator[None]:
        """Keep an error of the block for who measures the step: it must not end the loop's backward pass."""
        try:
            yield
        except Exception as error:
            self.error = error

    def drop_batch(self, number: int) -> None:
        """The loop skips a batch, the last one."""
        self.passes = [each for each in self.passes if each.batch != number]
        self.batch = number - 1

    def after_backward(self) -> None:
        """The backward pass is done."""
        self.left_gradients = bool(self.passes) and self._holds_gradients()


@functools.cache  # and not at import: torch.compiler loads for seconds
def _patched() -> tuple[Any, Any]:
    """The patched `torch.autograd.backward` and `GradScaler.scale`, left uncompiled in a compiled training step."""

    def backward(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> Any:
        losses = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        _capture(losses, grad_tensors)
        done = _torch_backward(losses, grad_tensors, *args, **kwargs)
        for capture in _present():
            with capture.guarded():
                capture.after_backward()
        return done

    def scale(scaler: Any, outputs: Any) -> Any:
        scaled = _torch_scale(scaler, outputs)
        _remember_scale(scaler, scaled)
        return scaled

    return torch.compiler.disable(backward), torch.compiler.disable(scale)


def _present() -> list[LossCapture]:
    with _patching:
        _restore_if_unused()  # recorders may have been collected while a step was under way
        return list(_capturing)


def _restore_if_unused() -> None:
    if not _capturing:
        torch.autograd.backward, _Scaler.scale = _torch_backward, _torch_scale
        _scales.clear()


def _capture(losses: tuple[Tensor, ...], grad_tensors: Any) -> None:
    given = (grad_tensors,) if isinstance(grad_tensors, Tensor | None) else tuple(grad_tensors)
    weights = given if len(given) == len(losses) else (None,) * len(losses)
    for capture in _present():
        with capture.guarded():
            capture.on_backward(losses, weights)


def _remember_scale(scaler: Any, scaled: Any) -> None:
    for each in scaled if isinstance(scaled, list | tuple) else (scaled,):
        if isinstance(each, Tensor) and each.grad_fn is not None:
            _scales[each.grad_fn] = float(scaler.get_scale())
