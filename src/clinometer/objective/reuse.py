"""Whether a layer is run again, in one pass, on what came of it: a recurrence, in which no layer is before another."""

import contextlib
import functools
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from clinometer.objective.gradients import graph_nodes


@dataclass
class Reuse:
    """What was seen of a layer."""

    found: bool = False  # whether it was run again on something that depends on its weight


@contextlib.contextmanager
def watch_reuse(model: nn.Module, weight: str) -> Generator[Reuse]:
    """Inside the block, see whether the module that owns a weight is run again on what depends on that weight.

    Two calls on separate inputs, as of a network that compares two images, are no reuse, nor is a weight that two
    layers share. What happens within one call of a module, such as `nn.LSTM`, is the module's own, and what no graph
    connects, such as a detached state, is not seen.

    Cost: from the second call on in a pass, a walk through the graph of what a module is given.

    Args:
        model: The model that is evaluated inside the block, with gradients.
        weight: The name of a parameter; one that is not the model's is not watched.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 2)
        >>> with watch_reuse(layer, "weight") as seen:
        ...     _ = layer(layer(torch.ones(1, 2)))
        >>> seen.found
        True
    """
    seen, calls = Reuse(), 0
    modules = dict(model.named_modules())
    owner = modules.get(owner_of(weight)) if weight in dict(model.named_parameters()) else None

    def look(_module: nn.Module, inputs: Any, named: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1 and not seen.found:
            own = functools.reduce(getattr, weight.split("."), model)  # what stands for it in this evaluation
            nodes = {node for each in _tensors((inputs, named)) for node in graph_nodes(each)}
            seen.found = any(getattr(node, "variable", None) is own for node in nodes)

    hook = owner.register_forward_pre_hook(look, with_kwargs=True) if owner else None
    try:
        yield seen
    finally:
        if hook:
            hook.remove()


def owner_of(name: str) -> str:
    """The module that owns a parameter; for the parameters of a parametrized weight, the module with that weight.

    Example:
        >>> owner_of("0.bias"), owner_of("conv.parametrizations.weight.original0")
        ('0', 'conv')
    """
    module, inside, _ = f".{name}".partition(".parametrizations.")
    return module.lstrip(".") if inside else name.rpartition(".")[0]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _tensors(each)
