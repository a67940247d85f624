"""The gradient of a loss, in the two ways that torch offers, and the graph that it is computed from."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.params import Point


def gradient(loss: Tensor, wanted: Point, create_graph: bool = False) -> dict[str, Tensor]:
    """The gradient by `torch.autograd.grad`, which touches no `.grad`; zero for what takes no part.

    Example:
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> gradient(w.square(), {"w": w})
        {'w': tensor(6.)}
    """
    if not loss.requires_grad:  # a constant: the slope of a linear loss
        return {name: torch.zeros_like(leaf, requires_grad=False) for name, leaf in wanted.items()}
    grads = gradients(loss, list(wanted.values()), create_graph)
    return {name: grad.to_dense() if grad.is_sparse else grad for name, grad in zip(wanted, grads, strict=True)}


def gradients(loss: Tensor, tensors: Sequence[Tensor], create_graph: bool = False) -> list[Tensor]:
    """As `torch.autograd.grad(..., materialize_grads=True)`, whose zeros require a gradient up to torch 2.9.

    Example:
        >>> w = torch.ones(2, requires_grad=True)
        >>> gradients(w[0].square(), [w, torch.ones(1, requires_grad=True)])
        [tensor([2., 0.]), tensor([0.])]
    """
    grads: Any = torch.autograd.grad(loss, tensors, create_graph=create_graph, allow_unused=True)  # or None, untold
    return [
        torch.zeros_like(tensor, requires_grad=False) if grad is None else grad
        for tensor, grad in zip(tensors, grads, strict=True)
    ]


def gradient_by_backward(loss: Tensor, wanted: Point) -> dict[str, Tensor]:
    """The gradient by `loss.backward()` into empty `.grad`, the only way in which `fully_shard` reduces gradients.

    Example:
        >>> w = torch.tensor(3.0, requires_grad=True)
        >>> gradient_by_backward(w.square(), {"w": w})
        {'w': tensor(6.)}
    """
    if loss.requires_grad:
        loss.backward()
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
