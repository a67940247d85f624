"""What a loss function must return, and what to say when it does not.

torch's own errors come from deep inside autograd, and name neither the loss nor the batch.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from clinometer.measure.point import Point


def scalar(loss: Any) -> Tensor:
    """The loss with shape (); TypeError or ValueError unless it is one number of a floating type."""
    if not isinstance(loss, Tensor):
        raise TypeError(f"loss_fn must return a scalar tensor; found {type(loss).__name__}. Return the loss itself.")
    if loss.numel() != 1 or not loss.is_floating_point():
        raise ValueError(
            f"loss_fn must return a scalar of a floating type; found shape {tuple(loss.shape)} and {loss.dtype}. "
            "Reduce it with .mean() or .sum(), as training does."
        )
    return loss.reshape(())


def explain_devices(error: RuntimeError, state: Point, batch: Any) -> None:
    """ValueError in the place of `error` if the batch lies on a device where the model has nothing."""
    ours = {str(t.device) for t in state.values()}
    theirs = {str(t.device) for t in _tensors(batch)} - ours
    if theirs:
        raise ValueError(
            f"the batch lies on {', '.join(sorted(theirs))} and the model on {', '.join(sorted(ours))}. "
            f"Move it first: batch.to({min(ours)!r})."
        ) from error


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, dict):
        for value in batch.values():
            yield from _tensors(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from _tensors(value)


def check_graph(loss: Tensor) -> None:
    """ValueError unless the loss depends on a parameter."""
    if not loss.requires_grad:
        raise ValueError(
            "the loss has no graph: it does not depend on any trainable parameter. Was it detached, turned into a "
            "number with .item(), or computed under torch.no_grad()? Return the tensor that you call .backward() on."
        )
