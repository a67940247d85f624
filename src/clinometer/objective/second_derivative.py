"""Losses that can be differentiated once but not twice: errors that name the operation.

Some operations have no second derivative, and torch raises. Others lose it without a word: a backward pass that runs a
kernel of its own, is marked `once_differentiable` or calls `.backward()` returns gradients that autograd takes for
constants, and the product would lack their share.
"""

import contextlib
import re
from collections.abc import Callable, Generator, Iterable
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.gradients import needs_backward

_INSTEAD = "Compare gradients at two points instead: walk, headroom and critical_step need no second derivative."
_MISSING = re.compile(r"derivative for '?(?:aten::)?(\w+?)'? is not implemented")
_OTHER_WORDS = ("once_differentiable", "ouble backward", "twice")
_WRONG = tuple(f"{name}NormBackwardBackward" for name in ("NativeLayer", "NativeBatch", "CudnnBatch", "MiopenBatch"))
_Function: Any = torch.autograd.function.BackwardCFunction


@contextlib.contextmanager
def explained() -> Generator[None]:
    """Inside the block, torch's error about a missing second derivative becomes a ValueError that names the operation.

    Example:
        >>> w = torch.ones(2, 2, requires_grad=True)
        >>> with explained():
        ...     (slope,) = torch.autograd.grad(torch.cdist(w, torch.zeros(1, 2)).sum(), w, create_graph=True)
        ...     torch.autograd.grad(slope.sum(), w)
        Traceback (most recent call last):
        ...
        ValueError: the loss has no second derivative: torch has none of '_cdist_backward'. ...
    """
    try:
        yield
    except RuntimeError as error:
        found = _MISSING.search(str(error))
        if found is None and not any(words in str(error) for words in _OTHER_WORDS):
            raise
        reason = f"torch has none of {found[1]!r}" if found else str(error)
        raise ValueError(f"the loss has no second derivative: {reason}. {_INSTEAD}") from error


def check_gradients_inside(nodes: Iterable[Any]) -> None:
    """ValueError if a loss holds gradients, as a penalty on them does, through a norm that torch then gets wrong.

    Torch takes the mean and deviation of BatchNorm and LayerNorm for constants in third derivatives (pytorch#186256,
    pytorch#175754).
    """
    for node in nodes:
        name = node.name()
        if name.startswith(_WRONG) and getattr(node, "_saved_train", True):
            raise ValueError(
                f"the loss holds a gradient, as a gradient penalty does, through {name.split('Backward')[0]}, whose "
                f"third derivative torch gets wrong; GroupNorm's and RMSNorm's it gets right. {_INSTEAD}"
            )


class OwnBackwards:
    """The nodes of a loss's graph whose backward pass is not torch's own, and what they return in one.

    Args:
        nodes: All nodes of the graph.

    Example:
        >>> class Square(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(2 * x)  # without a graph
        ...         return x * x
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         return grad * ctx.saved_tensors[0]
        >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> loss = Square.apply(w).sum()
        >>> own = OwnBackwards([loss.grad_fn, loss.grad_fn.next_functions[0][0]])
        >>> with own.checked():
        ...     torch.autograd.grad(loss, w, create_graph=True)
        Traceback (most recent call last):
        ...
        ValueError: the loss has no second derivative: the backward pass of 'Square' returns gradients ...
    """

    def __init__(self, nodes: Iterable[Any]) -> None:
        self._nodes = [node for node in nodes if isinstance(node, _Function) or "CppNode" in node.name()]

    @property
    def notes(self) -> list[str]:
        """What a product rests on, in words: others' functions may scale gradients, or estimate them."""
        others = sorted({_name(node) for node in self._nodes if not _is_of_torch(node)})
        return [
            f"products take the backward pass of {name!r} for the derivative of its forward pass" for name in others
        ]

    @contextlib.contextmanager
    def checked(self) -> Generator[None]:
        """ValueError at the end of the block if a backward pass in it returned gradients that lost their graph."""
        # A function that leads to no parameter is not run here; others than torch's may find parameters by themselves.
        lost = [not _is_of_torch(node) for node in self._nodes]
        hooks = [node.register_hook(_watch(lost, place)) for place, node in enumerate(self._nodes)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        if any(lost):
            raise ValueError(
                f"the loss has no second derivative: the backward pass of {_name(self._nodes[lost.index(True)])!r} "
                "returns gradients without a graph (a kernel, once_differentiable or a .backward() inside), which "
                f"would count as no curvature. {_INSTEAD}"
            )


def _watch(lost: list[bool], place: int) -> Callable[[Any, Any], None]:
    """A hook of a node. It does not refer to the node, which would keep the graph for ever."""

    def hook(found: Any, given: Any) -> None:
        lost[place] = _is_lost(found, given)

    return hook


def _is_of_torch(node: Any) -> bool:
    return isinstance(node, _Function) and not needs_backward({node})


def _name(node: Any) -> str:
    return type(node)._forward_cls.__qualname__ if isinstance(node, _Function) else node.name()


def _is_lost(found: Iterable[Tensor | None], given: Iterable[Tensor | None]) -> bool:
    """Whether gradients that a node returned ought to have a graph, and have none.

    Zeros are the gradient of a constant. At the end of a network, where the gradients given to a node are constant,
    equal numbers are the gradient of a sum.
    """
    without = [grad for grad in found if grad is not None and not _has_graph(grad) and bool(grad.any())]
    if any(grad is not None and grad.requires_grad for grad in given):
        return bool(without)
    return any(bool((grad != grad.flatten()[0]).any()) for grad in without)


def _has_graph(grad: Tensor) -> bool:
    return grad.requires_grad and (grad.grad_fn is None or grad.grad_fn.name() != "torch::autograd::Error")
