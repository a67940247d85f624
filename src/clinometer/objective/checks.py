"""Checks of the model, the loss function and the batch, with errors that name the one to change.

torch's own errors come from inside autograd, and name neither the loss nor the batch.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clinometer.objective.gradients import graph_nodes
from clinometer.objective.params import Point

_CHANGED = (
    "the batch was changed in place, by the training step or by loss_fn, after the objective was made: what is "
    "measured would not be what was trained. Change a copy instead: batch = batch.clone()."
)


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


def explain_devices(error: RuntimeError, state: Point, batch: Any) -> None:
    """Raise ValueError from `error` if the batch is on a device where the model has no tensor."""
    ours = {str(t.device) for t in state.values()}
    theirs = {str(t.device) for t in _tensors(batch)} - ours
    if theirs:
        raise ValueError(
            f"the batch lies on {', '.join(sorted(theirs))} and the model on {', '.join(sorted(ours))}. "
            f"Move it first: batch.to({min(ours)!r})."
        ) from error


def explain_checkpoint(error: RuntimeError) -> None:
    """Raise ValueError from `error` if activation checkpointing with use_reentrant=True raised it."""
    if "use_reentrant=True" in str(error):
        raise ValueError(
            "the model checkpoints activations with use_reentrant=True: torch gives gradients to .backward() alone, "
            "not to who measures. Pass use_reentrant=False to checkpoint(), which gives the same gradients; in "
            "transformers, gradient_checkpointing_kwargs={'use_reentrant': False}."
        ) from error


def check_graph(loss: Tensor, live: Point) -> None:
    """ValueError if the loss has no graph, or uses the model's own parameters instead of those put in their place."""
    if not loss.requires_grad:
        raise ValueError(
            "the loss has no graph: it does not depend on any trainable parameter. Was it detached, turned into a "
            "number with .item(), or computed under torch.no_grad()? Return the tensor that you call .backward() on."
        )
    names = {id(p): name for name, p in live.items()}
    own = [names[id(leaf)] for node in graph_nodes(loss) if id(leaf := getattr(node, "variable", None)) in names]
    if own:
        raise ValueError(
            f"loss_fn uses the parameter {own[0]!r} by a reference of its own, kept from before: it would stay where "
            "it is while the others move. Reach parameters through the model: model.parameters() inside loss_fn."
        )


def versions(batch: Any) -> list[int]:
    """The number of in-place changes to each tensor of a batch so far, as torch counts them."""
    return [t._version for t in _tensors(batch) if not t.is_inference()]


def check_batch(batch: Any, seen: list[int]) -> None:
    """ValueError if a tensor of the batch was changed in place after `versions` returned `seen`."""
    if versions(batch) != seen:
        raise ValueError(_CHANGED)


def content(batch: Any) -> list[float]:
    """The sum of each tensor of a batch. It shows changes by `.data`, NumPy and optimizers, which `versions` misses."""
    return [float(t.detach().sum(dtype=torch.float64)) for t in _tensors(batch) if _summable(t)]


def _summable(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and tensor.device.type != "meta" and not tensor.is_quantized


def check_content(batch: Any, seen: list[float]) -> None:
    """ValueError if the sums of the batch are not the `seen` that `content` returned."""
    if not np.array_equal(content(batch), seen, equal_nan=True):
        raise ValueError(_CHANGED)


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, np.ndarray) and batch.dtype.kind in "biuf":
        yield torch.from_numpy(batch)
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from _tensors(value)
    elif isinstance(batch, list | tuple):
        for value in batch:
            yield from _tensors(value)
    elif dataclasses.is_dataclass(batch):
        yield from _tensors(vars(batch))
