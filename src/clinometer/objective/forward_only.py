"""A forward pass that keeps nothing for a backward pass, with gradients enabled all the same.

`torch.no_grad()` would save as much, but it changes what runs: some modules take other kernels, whose last digits
differ, and a loss may ask for `requires_grad`. So autograd records as in training, and only what it would save is
dropped. A loss that differentiates inside, such as a gradient penalty, needs what is saved, and is told apart.
"""

from collections.abc import Callable
from typing import Any

from torch.autograd.graph import saved_tensors_hooks

_REFUSED = "saved tensor hooks"  # what torch.func says where it meets any


class ActivationsNeededError(BaseException):
    """The loss differentiates inside. No Exception: code of the user's that handles those must not handle this one."""


def forward_only(evaluate: Callable[[], Any]) -> Any:
    """What `evaluate` returns where autograd saves no tensor.

    Raises:
        ActivationsNeededError: if one was asked for, even where whoever asked has handled the error.

    Example:
        >>> import torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> forward_only(lambda: x.square().sum()).requires_grad
        True
        >>> forward_only(lambda: torch.autograd.grad(x.square().sum(), x))
        Traceback (most recent call last):
        clinometer.objective.forward_only.ActivationsNeededError
    """
    asked = False

    def recall(_: Any) -> Any:
        nonlocal asked
        asked = True
        raise ActivationsNeededError

    try:
        with saved_tensors_hooks(lambda _: None, recall):
            found = evaluate()
    except Exception as error:
        if _REFUSED in str(error):
            raise ActivationsNeededError from error
        raise
    if asked:
        raise ActivationsNeededError
    return found


def with_activations(evaluate: Callable[[], Any]) -> Any:
    """What `evaluate` returns where autograd saves what it needs, as always."""
    return evaluate()
