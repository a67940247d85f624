"""The gradient of a loss by the parameters that replace the model's own, in the two ways that torch offers."""

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
    grads = torch.autograd.grad(
        loss, list(wanted.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return {name: grad.to_dense() if grad.is_sparse else grad for name, grad in zip(wanted, grads, strict=True)}


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
