"""torch's DTensor, a tensor whose elements lie on several processes; `fully_shard` makes parameters into it.

It is recognised by its attributes: importing its class takes a second, and some builds of torch lack it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

Groups = tuple[Any, ...]  # torch's process groups, one per mesh dimension; none: this process alone


def is_dtensor(x: Any) -> bool:
    """Whether a tensor's elements lie on several processes."""
    # The classes first: asking a plain tensor for an attribute that it lacks is slow, and comes once a parameter.
    return type(x) is not Tensor and type(x) is not nn.Parameter and hasattr(x, "placements")


def device_mesh(x: Any) -> Any:
    """The `DeviceMesh` of processes that a DTensor lies on."""
    return x.device_mesh


def to_local(x: Tensor) -> Tensor:
    """The elements that this process holds: all of them, unless it is a DTensor.

    Example:
        >>> to_local(torch.ones(2))
        tensor([1., 1.])
    """
    dtensor: Any = x
    return dtensor.to_local() if is_dtensor(x) else x


def full_tensor(x: Any) -> Any:
    """All elements of a tensor, on each of its processes. For single vectors: it costs the memory of all elements."""
    return x.full_tensor() if is_dtensor(x) else x


def from_local(like: Tensor, part: Tensor) -> Tensor:
    """A tensor sharded like another, of which this process holds `part`."""
    if not is_dtensor(like):
        return part
    fresh = torch.empty_like(like.detach())
    to_local(fresh).copy_(part)
    return fresh


def shard_groups(x: Any) -> Groups:
    """The process groups over which a tensor is sharded, without those over which it is replicated."""
    if not is_dtensor(x):
        return ()
    return tuple(x.device_mesh.get_group(i) for i, kind in enumerate(x.placements) if not kind.is_replicate())


def shard_index(x: Any) -> int:
    """The index of the shard that this process holds; replicas of a shard have the same index."""
    number = 0
    for i, kind in enumerate(getattr(x, "placements", ())):
        if not kind.is_replicate():
            number = number * x.device_mesh.size(i) + x.device_mesh.get_local_rank(i)
    return number


def all_gather(x: Tensor, groups: Sequence[Any]) -> Tensor:
    """The tensors of all processes of the groups, joined along the first dimension in the order of ranks.

    Sums over processes gather first: each process then adds the same numbers in the same order, to the same bits.
    """
    for group in reversed(groups):
        sent = x.contiguous().to(_carrier(group, x))
        parts = [torch.empty_like(sent) for _ in range(torch.distributed.get_world_size(group))]
        torch.distributed.all_gather(parts, sent, group=group)
        x = torch.cat(parts).to(x.device)
    return x


def _carrier(group: Any, x: Tensor) -> torch.device:
    """The device on which a group can exchange a small tensor."""
    backend = torch.distributed.get_backend(group)
    if backend == "nccl" and x.device.type == "cpu":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu") if backend == "gloo" else x.device
