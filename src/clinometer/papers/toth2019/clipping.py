"""Each tensor's gradient clipped to a norm of its own, as the author's code does, and not all of them by one factor.

What the optimizer gets is then no multiple of the gradient of the loss. What a `Recorder` measures along the gradient
speaks of that of the loss; what it measures along the update speaks of the step that was taken.
"""

import functools

import torch
from torch import Tensor, nn


def clip_each(model: nn.Module, most: float) -> None:
    """From now on, have each parameter's gradient clipped to a norm when a backward pass has accumulated it.

    Args:
        model: The model.
        most: The largest norm.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> clip_each(layer, 5.0)
        >>> (30 * layer(torch.ones(1, 1)) + layer.bias).sum().backward()
        >>> layer.weight.grad, layer.bias.grad
        (tensor([[5.]]), tensor([5.]))
    """
    clip = functools.partial(_clip, most)
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(clip)


def _clip(most: float, parameter: Tensor) -> None:
    if parameter.grad is not None:
        length = torch.linalg.vector_norm(parameter.grad)
        parameter.grad.mul_((most / length).clamp(max=1.0))
