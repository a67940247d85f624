"""Tensors whose elements lie on several processes: torch's DTensor, which `fully_shard` makes of parameters.

Known by what they have, not by their class: importing that takes a second, and builds of torch without it exist.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Groups = tuple[Any, ...]  # process groups whose product are some processes; none: this process alone


def is_dtensor(x: Any) -> bool:
    """Whether a tensor's elements lie on several processes."""
    return hasattr(x, "placements")


def mesh_of(x: Any) -> Any:
    """The processes that a spread tensor lies on, as a `DeviceMesh`."""
    return x.device_mesh


def local(x: Tensor) -> Tensor:
    """The elements that this process holds; the tensor itself where that is all of them.

    Example:
        >>> local(torch.ones(2))
        tensor([1., 1.])
    """
    spread: Any = x
    return spread.to_local() if is_dtensor(x) else x


def whole(x: Any) -> Any:
    """All elements of a tensor, on each of its processes: for a vector here and there, never for many weights."""
    return x.full_tensor() if is_dtensor(x) else x


def with_local(x: Tensor, part: Tensor) -> Tensor:
    """A tensor spread as `x` is, of which this process holds `part`."""
    if not is_dtensor(x):
        return part
    fresh = torch.empty_like(x.detach())
    local(fresh).copy_(part)
    return fresh


def holders(x: Any) -> Groups:
    """The process groups over which a tensor is cut up; not those on which it is repeated."""
    if not is_dtensor(x):
        return ()
    return tuple(x.device_mesh.get_group(i) for i, kind in enumerate(x.placements) if not kind.is_replicate())


def shard_index(x: Any) -> int:
    """Which of the pieces of a tensor this process holds, counted from 0: repeated ones have the same number."""
    number = 0
    for i, kind in enumerate(getattr(x, "placements", ())):
        if not kind.is_replicate():
            number = number * x.device_mesh.size(i) + x.device_mesh.get_local_rank(i)
    return number


def gathered(x: Tensor, groups: Sequence[Any]) -> Tensor:
    """What each process of the groups has, joined along the first dimension in the order of ranks.

    Gathered and not summed: each process sums the same numbers in the same order, and comes to the same bits.
    """
    for group in reversed(groups):
        sent = x.contiguous().to(_carrier(group, x))
        found = [torch.empty_like(sent) for _ in range(torch.distributed.get_world_size(group))]
        torch.distributed.all_gather(found, sent, group=group)
        x = torch.cat(found).to(x.device)
    return x


def _carrier(group: Any, x: Tensor) -> torch.device:
    """The device on which a group can exchange a small tensor."""
    backend = torch.distributed.get_backend(group)
    if backend == "nccl" and x.device.type == "cpu":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu") if backend == "gloo" else x.device
