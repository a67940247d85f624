"""The tensors that make up a point: the model's parameters, and others that an optimizer holds and `loss_fn` reaches.

A criterion may have weights, a prompt be a tensor of its own, a temperature be learned. Where the optimizer holds them,
they are part of the step. Without an optimizer nobody knows, and a point is made of the model's parameters.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from clinometer.objective.discover import reached_by
from clinometer.objective.params_module import trained_by_default


def trained_tensors(model: nn.Module, loss_fn: Any, chosen: Iterable[Tensor] | None) -> tuple[dict[str, Tensor], int]:
    """The tensors to move, by name; and how many of those chosen are left out, as neither model nor `loss_fn` has them.

    They are the model's trainable ones; with `chosen`, those of them, and the others that `loss_fn` or the model
    reaches. Those outside the model are named by where they are reached, and come after the model's own.

    Raises:
        ValueError: if there are none.

    Example:
        >>> model, criterion = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        >>> held = [*model.parameters(), *criterion.parameters(), nn.Parameter(Tensor(3))]
        >>> tensors, left_out = trained_tensors(model, lambda model, x: criterion(model(x)).sum(), held)
        >>> list(tensors), left_out
        (['weight', 'criterion.weight'], 1)
    """
    ours = trained_by_default(model)
    held = {} if chosen is None else {id(tensor): tensor for tensor in chosen}
    moved = ours if chosen is None else {name: tensor for name, tensor in ours.items() if id(tensor) in held}
    inside = {id(tensor) for tensor in (*ours.values(), *model.parameters())}
    others = [tensor for tensor in held.values() if tensor.requires_grad and id(tensor) not in inside]
    outside = _named(others, _names(model, loss_fn), ours) if others else {}
    if not (moved or outside):
        _raise_none(model, ours, held)
    return moved | outside, len(others) - len(outside)


def _named(tensors: Iterable[Tensor], names: Mapping[int, str], taken: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of the tensors that have a name, by names of their own, in this order.

    It is the optimizer's: that of a walk through globals differs between processes.
    """
    found: dict[str, Tensor] = {}
    for tensor in tensors:
        name = names.get(id(tensor))
        while name in taken or name in found:
            name = f"loss_fn.{name}"
        if name is not None:
            found[name] = tensor
    return found


def _names(model: nn.Module, loss_fn: Any) -> dict[int, str]:
    """What to call each tensor that the loss function or the model reaches, by the tensor's id."""
    reached = reached_by(loss_fn, model)
    names = {id(tensor): reached.path_to(tensor) or "tensor" for tensor in reached.tensors}
    for module in reached.modules:
        path = reached.path_to(module) or "loss_fn"
        names |= {id(p): f"{path}.{name}" for name, p in module.named_parameters()}
    return names


def _raise_none(model: nn.Module, ours: Mapping[str, Tensor], held: Mapping[int, Tensor]) -> None:
    if not ours:
        raise ValueError(
            "the model has no trainable parameter (requires_grad=True); found "
            f"{sum(1 for _ in model.parameters())} parameters in {type(model).__name__}. "
            "A landscape needs at least one direction: pass the network itself, unfrozen."
        )
    raise ValueError(
        f"none of the {len(ours)} trainable parameters of {type(model).__name__} is among the {len(held)} "
        "that were chosen, or that the optimizer holds: pass the optimizer that trains this model."
    )
