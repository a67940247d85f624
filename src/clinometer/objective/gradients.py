"""The gradient of a loss, in the two ways that torch offers, and the graph that it is computed from."""

import contextlib
from collections.abc import Generator, Sequence
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.params import Point

_Function: Any = torch.autograd.function.BackwardCFunction
_torch_backward: Any = torch.autograd.backward  # torch's own, also while a recorder listens for training's passes


def gradient(loss: Tensor, wanted: Point, create_graph: bool = False) -> dict[str, Tensor]:
    """The gradient by `torch.autograd.grad`, which touches no `.grad`; zero for what takes no part.

    Example:
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> gradient(w.square(), {"w": w})
        {'w': tensor(6.)}
    """
    if not loss.requires_grad:  # a constant: the slope of a linear loss
        return {name: torch.zeros_like(leaf, requires_grad=False) for name, leaf in wanted.items()}
    grads = gradients(loss, list(wanted.values()), create_graph=create_graph)
    return {name: _dense(grad) for name, grad in zip(wanted, grads, strict=True)}


def hessian_product(gradient: Point, leaves: Point, v: Point, *, retain_graph: bool) -> dict[str, Tensor]:
    """∇⟨∇L, v⟩ by the leaves, from a gradient with its graph; zero for what takes no part.

    Example:
        >>> w = {"w": torch.tensor([1.0, 2.0], requires_grad=True)}
        >>> slope = gradient(w["w"].pow(3).sum(), w, create_graph=True)
        >>> hessian_product(slope, w, {"w": torch.tensor([1.0, 0.0])}, retain_graph=False)
        {'w': tensor([6., 0.])}
    """
    names = [name for name, grad in gradient.items() if name in v and grad.requires_grad]  # others are constant
    if not names:
        return {name: torch.zeros_like(leaf, requires_grad=False) for name, leaf in leaves.items()}
    along = [v[name].to(gradient[name]) for name in names]
    slopes = [gradient[name] for name in names]
    grads = gradients(slopes, list(leaves.values()), grad_outputs=along, retain_graph=retain_graph)
    return {name: _dense(grad) for name, grad in zip(leaves, grads, strict=True)}


def gradients(outputs: Tensor | Sequence[Tensor], tensors: Sequence[Tensor], **options: Any) -> list[Tensor]:
    """As `torch.autograd.grad(..., materialize_grads=True)`, whose zeros require a gradient up to torch 2.9.

    Example:
        >>> w = torch.ones(2, requires_grad=True)
        >>> gradients(w[0].square(), [w, torch.ones(1, requires_grad=True)])
        [tensor([2., 0.]), tensor([0.])]
    """
    grads: Any = torch.autograd.grad(outputs, tensors, allow_unused=True, **options)  # None where untold
    return [
        torch.zeros_like(tensor, requires_grad=False) if grad is None else grad
        for tensor, grad in zip(tensors, grads, strict=True)
    ]


def gradient_by_backward(loss: Tensor, wanted: Point, aside: Sequence[Tensor] = ()) -> dict[str, Tensor]:
    """The gradient by `loss.backward()` into the empty `.grad` of `wanted`.

    It is the only way in which `fully_shard` reduces gradients, and in which a reentrant checkpoint computes any.

    Args:
        loss: The loss.
        wanted: Tensors without a `.grad`.
        aside: Other tensors that the pass may reach, which keep the `.grad` that they have.

    Example:
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> gradient_by_backward(w.square(), {"w": w})
        {'w': tensor(6.)}
    """
    with _kept_gradients(aside):
        if loss.requires_grad:
            _torch_backward(loss)
    return {name: torch.zeros_like(p.detach()) if p.grad is None else p.grad for name, p in wanted.items()}


def graph_nodes(loss: Tensor) -> set[Any]:
    """The nodes of the graph that a loss was computed by.

    Example:
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> sorted(node.name() for node in graph_nodes(w.square()))
        ['PowBackward0', 'torch::autograd::AccumulateGrad']
    """
    waiting: list[Any] = [loss.grad_fn]
    nodes: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in nodes:
            nodes.add(node)
            waiting.extend(previous for previous, _ in node.next_functions)
    return nodes


def needs_backward(nodes: set[Any]) -> bool:
    """Whether a graph holds a function written in Python by others than torch, or a reentrant checkpoint.

    Such a function may call `.backward()` inside: then `torch.autograd.grad` finds zero where training finds gradients.
    """
    return any(isinstance(node, _Function) and (is_checkpoint(node) or not _is_of_torch(node)) for node in nodes)


def is_checkpoint(node: Any) -> bool:
    """Whether a node computes a part of the network again, by a backward pass of its own."""
    return isinstance(node, _Function) and "Checkpoint" in type(node).__name__


def _dense(grad: Tensor) -> Tensor:
    return grad.to_dense() if grad.is_sparse else grad


def _is_of_torch(node: Any) -> bool:
    return type(node)._forward_cls.__module__.partition(".")[0] == "torch"


@contextlib.contextmanager
def _kept_gradients(tensors: Sequence[Tensor]) -> Generator[None]:
    """Inside the block `.grad` of these tensors is empty; afterwards it is their own again."""
    own = [(tensor, tensor.grad) for tensor in tensors]
    try:
        for tensor in tensors:
            tensor.grad = None
        yield
    finally:
        for tensor, grad in own:
            tensor.grad = grad
