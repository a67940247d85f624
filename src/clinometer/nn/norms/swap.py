"""Replace the norms of any model."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from clinometer.nn.norms.known import Known, known
from clinometer.nn.norms.on_weights import OnWeights
from clinometer.nn.norms.per_position import PerPosition
from clinometer.nn.norms.rows import norm_factory
from clinometer.nn.norms.swapped import Left, Replacement, Swapped


def swap_norms(model: nn.Module, name: str, *, spatial_dims: int | None = None, **options: Any) -> Swapped:
    """Replace a model's norms in place by those of a row of `NORMS`.

    Known are torch's BatchNorm, SyncBatchNorm, GroupNorm, InstanceNorm, LayerNorm and RMSNorm, and ours; any other
    module with "norm" in the name of its class is left, and the report says so. LayerNorm and torch's RMSNorm have the
    features last: each position is then a sample of the new norm. Weight and bias of the same shape stay the same
    parameters, which an optimizer may hold already, and running mean and variance are copied; device, dtype, train or
    eval mode stay, and one module in several places is replaced by one. Swap before a model is compiled or wrapped for
    distributed training.

    Args:
        model: Any model.
        name: A row of `NORMS` that acts on what a layer returns.
        spatial_dims: Of norms that do not say, as GroupNorm. By default that of the model's convolutions, where these
            are of one kind; 0 in a model without.
        options: Of the row.

    Returns:
        What was replaced, what was kept of it, and what was left. Print it.

    Raises:
        ValueError: if there is no such row, it acts on weights, it does not fit one of the norms, or no norm can be
            replaced. The model is then as it was.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU())
        >>> print(swap_norms(model, "group", groups=8))
        replaced 1 norm:
          1: BatchNorm2d(16) -> GroupNorm; kept weight, bias
        >>> model[1].num_groups
        8
    """
    norm_factory(name)  # raises if there is no such row
    new: list[nn.Module] = []
    replaced: list[Replacement] = []
    left: list[Left] = []
    default = _spatial_dims_of(model) if spatial_dims is None else spatial_dims
    for module, names in _norms_of(model).items():
        found = "it is the model itself" if module is model else _known(module)
        if isinstance(found, str):
            left.append(Left(names, type(module).__name__, found))
            continue
        made = _build(names[0], found, name, default, options)
        _like(made, found.norm, model)
        replaced.append(_keep(names, found, made))
        new.append(PerPosition(made) if found.per_position else made)
    if not replaced:
        reasons = "".join(f" {', '.join(each.names) or 'It'}: {each.norm}: {each.reason}." for each in left)
        raise ValueError(f"the model has no norm that could be replaced.{reasons}")
    for one, made in zip(replaced, new, strict=True):
        _install(model, one.names, made)
    return Swapped(tuple(replaced), tuple(left))


def _norms_of(model: nn.Module) -> dict[nn.Module, tuple[str, ...]]:
    """Each norm with its names; what is inside one, as of a norm per position, is not one of its own."""
    names: dict[nn.Module, tuple[str, ...]] = {}
    inside: set[nn.Module] = set()
    for name, module in model.named_modules(remove_duplicate=False):
        if module not in inside and known(module) is not None:
            names[module] = (*names.get(module, ()), name)
            inside |= set(module.modules()) - {module}
    return names


def _known(module: nn.Module) -> Known | str:
    hooks = [module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks]  # pyright: ignore[reportPrivateUsage]
    if any(hooks):
        return "it has hooks, which a new module would not have"
    found = known(module)
    assert found is not None, "only norms are asked for"
    return found


def _spatial_dims_of(model: nn.Module) -> int | None:
    """That of all its convolutions, 0 without any, None if they differ."""
    kinds = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}
    found = {dims for module in model.modules() for kind, dims in kinds.items() if isinstance(module, kind)} or {0}
    return found.pop() if len(found) == 1 else None


def _build(at: str, found: Known, name: str, default: int | None, options: Mapping[str, Any]) -> nn.Module:
    """The new norm; ValueError, saying where, if the row does not fit."""
    dims = default if found.spatial_dims is None else found.spatial_dims
    where = f"nothing was replaced: {at} is a {_told(found)}, and"
    if dims is None:
        raise ValueError(f"{where} the model has convolutions of several kinds; say its `spatial_dims`.")
    try:
        made = norm_factory(name)(found.features, dims, **options)
    except ValueError as error:
        raise ValueError(f"{where} {name} does not fit: {error}") from error
    if isinstance(made, OnWeights):
        raise ValueError(
            f"{name} reparametrises the layer before a norm, and which that is a model does not say; build the network "
            f"with apply_norm(layer, {name!r})."
        )
    return made


def _like(made: nn.Module, norm: nn.Module, model: nn.Module) -> None:
    """Give a new norm the device, dtype and mode of the one before; without tensors, the model's device and dtype."""
    tensors = (*norm.parameters(), *norm.buffers(), *model.parameters())
    like = next((each for each in tensors if each.is_floating_point()), torch.empty(()))
    made.to(like.device, like.dtype).train(norm.training)


def _keep(names: tuple[str, ...], found: Known, made: nn.Module) -> Replacement:
    """Give a new norm the parameters and running statistics that it shares with the one before."""
    target = next((part for part in made.modules() if isinstance(getattr(part, "weight", None), nn.Parameter)), made)
    before = dict(found.norm.named_parameters())
    kept = [name for name, each in before.items() if _shape(target, name) == each.shape]
    for name in kept:
        setattr(target, name, before[name])
    statistics = {name: each for name, each in found.norm.named_buffers() if name in ("running_mean", "running_var")}
    if len(statistics) == 2 and all(_shape(target, name) == each.shape for name, each in statistics.items()):
        for name, each in statistics.items():
            target.get_buffer(name).copy_(each)
        kept += statistics
    after = f"{type(made).__name__}{' per position' if found.per_position else ''}"
    return Replacement(names, _told(found), after, tuple(kept), tuple(name for name in before if name not in kept))


def _shape(module: nn.Module, name: str) -> torch.Size | None:
    value = getattr(module, name, None)
    return value.shape if isinstance(value, Tensor) else None


def _told(found: Known) -> str:
    return f"{type(found.norm).__name__}({found.features})"


def _install(model: nn.Module, names: Sequence[str], made: nn.Module) -> None:
    for name in names:
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, made)
