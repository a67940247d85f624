"""Checks of the model, the loss function and the batch, with errors that name the one to change.

torch's own errors come from inside autograd, and name neither the loss nor the batch.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.objective.gradients import graph_nodes
from clinometer.objective.params import Point

# As torch words it when an operation meets tensors of two devices.
_DEVICES = ("same device", "weight type", "is on cpu", "is on cuda", "on device", "device type", "different device")


def check_torchscript(modules: Iterable[nn.Module]) -> None:
    """ValueError if one of the modules is a TorchScript module, whose state Python can neither save nor restore."""
    for module in modules:
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"expected modules whose state is Python's; found the TorchScript module {module.original_name!r}, "
                "whose buffers measuring could not leave as they were. Measure the module that torch.jit.script or "
                "torch.jit.trace was given; torch.compile in their place can be measured."
            )


def check_names(point: Point, parameters: Mapping[str, Tensor]) -> None:
    """ValueError unless the point has a value for each of the parameters and for nothing else."""
    odd = point.keys() ^ parameters.keys()
    if odd:
        raise ValueError(
            f"a point needs a value for each of the {len(parameters)} trainable parameters and no other; "
            f"found a difference at {min(odd)!r}. Start from `objective.here()`."
        )


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


def explain_devices(error: RuntimeError, state: Point, batch: Iterable[Tensor]) -> None:
    """Raise ValueError from `error` if it is about devices, and the batch is on one where the model has no tensor."""
    ours = {str(t.device) for t in state.values()}
    theirs = {str(t.device) for t in batch} - ours
    if theirs and any(words in str(error) for words in _DEVICES):
        raise ValueError(
            f"the batch lies on {', '.join(sorted(theirs))} and the model on {', '.join(sorted(ours))}. "
            f"Move it first: batch.to({min(ours)!r})."
        ) from error


def refuse_checkpoint(present: bool, what: str) -> None:
    """ValueError if activations are checkpointed with use_reentrant=True."""
    if present:
        raise ValueError(
            f"{what} cannot be computed through activations that are checkpointed with use_reentrant=True: what is "
            "inside has no graph of its own. Pass use_reentrant=False to checkpoint(), which gives the same gradients; "
            "in transformers, gradient_checkpointing_kwargs={'use_reentrant': False}."
        )


def check_graph(loss: Tensor, nodes: Collection[Any], live: Point, batch: Iterable[Tensor]) -> None:
    """ValueError if the loss has no graph, or one that ends in the model's own parameters instead of the copies.

    Args:
        loss: The loss.
        nodes: Those of its graph.
        live: The model's own parameters.
        batch: The tensors of the batch.
    """
    if not loss.requires_grad:
        raise ValueError(
            "the loss has no graph: it does not depend on any trainable parameter. Was it detached, turned into a "
            "number with .item(), or computed under torch.no_grad()? Return the tensor that you call .backward() on."
        )
    names = {id(p): name for name, p in live.items()}
    own = _reached(nodes, names)
    if own is None:
        return
    for tensor in batch:
        if tensor.grad_fn is not None and _reached(graph_nodes(tensor), names):
            raise ValueError(
                f"the batch carries a graph: a tensor in it, of shape {tuple(tensor.shape)}, was computed from the "
                f"parameter {own!r}, as a hidden state is that goes from one batch to the next. It would stay where it "
                "is while the parameters move. Detach it: recorder.step((x, y, hidden.detach()))."
            )
    raise ValueError(
        f"loss_fn uses the parameter {own!r} by a reference of its own, kept from before: it would stay where "
        "it is while the others move. Reach parameters through the model: model.parameters() inside loss_fn. A result "
        "of an earlier forward pass that the model or loss_fn keeps with its graph is such a reference, too: detach it."
    )


def _reached(nodes: Collection[Any], names: Mapping[int, str]) -> str | None:
    """The first name, by the alphabet, of a parameter that a graph ends in; None if it ends in none of them."""
    ends = (id(getattr(node, "variable", None)) for node in nodes)
    return min((names[end] for end in ends if end in names), default=None)
