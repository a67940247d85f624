"""The ranks that train a model together, and the numbers that they exchange while they measure it.

Each rank evaluates the loss on its own batch. Training minimises the mean over ranks, so that is measured: losses are
averaged here, and gradients too where no wrapper has done so. All ranks get the same numbers, bit for bit, and so take
the same decisions: a rank that went on alone would leave the others waiting.
"""

import contextlib
import gc
import math
import weakref
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from clinometer.objective.dtensor import Groups, all_gather, device_mesh, is_dtensor
from clinometer.objective.fabric import fabric_attributes
from clinometer.objective.interruptions import is_out_of_memory
from clinometer.objective.params import Point, joined
from clinometer.readable.results import readable

UNTOLD = "The other ranks could not be told of this error."
_ERROR, _OUT_OF_MEMORY = 1.0, 2.0  # what a rank that failed tells the others; 0 otherwise


class OtherRankError(RuntimeError):
    """Another rank failed while this one measured."""

    out_of_memory = False  # that rank was short of memory


@readable
@dataclass(frozen=True)
class Ranks:
    """The ranks that train one model: the product of some of torch's process groups; without any, this process alone.

    Not called ProcessGroup, which is torch's name for each of `groups`.

    Example:
        >>> alone = Ranks()
        >>> alone.size, alone.is_first, alone.broadcast(7)
        (1, True, 7)
    """

    groups: Groups = ()
    size: int = 1  # how many ranks
    index: int = 0  # of this one among them
    reports_failures: bool = True  # the others wait here for it, and in no exchange of a wrapper's own
    around: tuple[weakref.ref[nn.Module], ...] = ()  # wrappers around the model; those of earlier runs may be collected

    @classmethod
    def of(cls, groups: Groups, *, reports_failures: bool, wrappers: Sequence[nn.Module] = ()) -> "Ranks":
        """The ranks in the product of some process groups."""
        sizes = [torch.distributed.get_world_size(group) for group in groups]
        index = 0
        for group, size in zip(groups, sizes, strict=True):
            index = index * size + torch.distributed.get_rank(group)
        return cls(groups, math.prod(sizes), index, reports_failures, tuple(map(weakref.ref, wrappers)))

    @property
    def wrappers(self) -> list[nn.Module]:
        """The wrappers around the model that are still in use."""
        return [wrapper for reference in self.around if (wrapper := reference()) is not None]

    @property
    def is_first(self) -> bool:
        """Whether this rank is the one that writes."""
        return self.index == 0

    def all_gather(self, mine: float) -> list[float]:
        """Each rank's number, in their order. Waits for all of them.

        Raises:
            OtherRankError: if one of them had an error instead.
        """
        if not self.groups:
            return [mine]
        pairs = self._exchange(0.0, mine)
        failed = [i for i, (failure, _) in enumerate(pairs) if failure]
        if failed:
            error = OtherRankError(
                f"rank {failed[0]} failed while this rank, {self.index}, measured; its own error says why. "
                "Nothing of this measurement is kept on any rank."
            )
            error.out_of_memory = all(pairs[i][0] == _OUT_OF_MEMORY for i in failed)
            raise error
        return [number for _, number in pairs]

    def broadcast(self, mine: int) -> int:
        """Rank 0's number; exact up to 2⁵³."""
        return int(self.all_gather(mine)[0]) if self.groups else mine

    def mean(self, mine: float) -> float:
        """The mean of the ranks' numbers."""
        return sum(self.all_gather(mine)) / self.size

    def average(self, loss: Tensor, gradient: Point) -> tuple[Tensor, dict[str, Tensor]]:
        """The mean of the ranks' losses and gradients; shards of gradients have been averaged by `fully_shard` already.

        Takes one exchange per large parameter. The gradient may be changed in place.
        """
        if not self.groups:
            return loss, dict(gradient)
        mean = torch.tensor(self.mean(float(loss)), dtype=torch.promote_types(loss.dtype, torch.float32))
        whole = {name: value for name, value in gradient.items() if not is_dtensor(value)}
        for names in joined(whole):
            flat = torch.cat([whole[name].reshape(-1) for name in names]).mul_(1 / self.size)
            for group in self.groups:
                torch.distributed.all_reduce(flat, group=group)
            parts = flat.split([whole[name].numel() for name in names])
            whole |= {name: part.view_as(whole[name]) for name, part in zip(names, parts, strict=True)}
        return mean.to(loss.device), {name: whole.get(name, value) for name, value in gradient.items()}

    @contextlib.contextmanager
    def all_or_none(self) -> Generator[None]:
        """A block that all ranks leave the same way: with an error if one of them has one.

        Where a wrapper exchanges parameters, the others may be waiting for those; they fail when this process ends.
        """
        try:
            yield
        except OtherRankError:
            raise  # all know
        except Exception as error:
            if self.groups and self.reports_failures:
                try:
                    self._exchange(_OUT_OF_MEMORY if is_out_of_memory(error) else _ERROR, 0.0)
                except Exception:  # a dead connection: the first error is the one to see
                    error.add_note(UNTOLD)
            raise
        self.all_gather(0.0)

    def _exchange(self, failure: float, number: float) -> list[list[float]]:
        # All exchanges of numbers look alike, so that a failure reaches the others whatever they are waiting for.
        return all_gather(torch.tensor([[failure, number]], dtype=torch.float64), self.groups).tolist()


def ranks_of(modules: Sequence[nn.Module], live: Mapping[str, Tensor], wrappers: Sequence[nn.Module] = ()) -> Ranks:
    """The ranks that train the parameters `live`, by the wrappers among `modules` or around the model.

    Raises:
        ValueError: for wrappers whose parameters cannot be moved from outside.
    """
    ours = {id(p) for p in live.values()}
    meshes = [device_mesh(p) for p in live.values() if is_dtensor(p)]
    ranks = Ranks()
    for module in (*modules, *wrappers):
        if type(module).__name__ == "FullyShardedDataParallel":
            raise ValueError(
                "FullyShardedDataParallel keeps parameters in flat pieces that have no names of their own; expected "
                "torch.distributed.fsdp.fully_shard, which replaces it."
            )
        if isinstance(module, DistributedDataParallel) and any(id(p) in ours for p in module.parameters()):
            if module.mixed_precision is not None:
                raise ValueError(
                    "DistributedDataParallel(mixed_precision=...) swaps weights behind the model's back, which cannot "
                    "be measured; use torch.autocast in loss_fn instead."
                )
            ranks = Ranks.of((module.process_group,), reports_failures=True, wrappers=wrappers)
    if meshes and not any(hasattr(module, "_get_fsdp_state") for module in modules):
        raise ValueError(
            "the model's parameters are DTensors, but not by fully_shard; of the ways to spread a model over processes "
            "only DistributedDataParallel and fully_shard can be measured."
        )
    if meshes:
        largest = max(meshes, key=lambda mesh: mesh.size())
        ranks = Ranks.of(tuple(largest.get_group(i) for i in range(largest.ndim)), reports_failures=False)
    return ranks


def wrappers_around(model: nn.Module) -> list[nn.Module]:
    """The `DistributedDataParallel` that hold `model`, where it was handed over bare: torch keeps no list of them."""
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1):
        return []
    gc.collect()  # a wrapper of an earlier run that is left on one rank alone would exchange buffers with nobody
    wrappers = [each for each in gc.get_objects() if issubclass(type(each), DistributedDataParallel)]
    return [wrapper for wrapper in wrappers if any(module is model for module in wrapper.modules())]


def attributes_of(module: nn.Module) -> dict[str, Any]:
    """A module's attributes while it is measured; a DDP wrapper's forward pass then runs the wrapped module alone.

    Its own forward pass would prepare to reduce gradients that never come, and send buffers to the other ranks.
    """
    if (changed := fabric_attributes(module)) is not None:
        return vars(module) | changed
    if not isinstance(module, DistributedDataParallel):
        return vars(module)

    def forward(*args: Any, **kwargs: Any) -> Any:
        if module.device_ids:
            from torch.distributed.utils import _to_kwargs  # pyright: ignore[reportPrivateUsage]

            device = torch.device(str(module.device_type), module.device_ids[0])
            moved: Any = _to_kwargs(args, kwargs, device, False)
            (args,), (kwargs,) = moved
        return module.module(*args, **kwargs)

    return vars(module) | {"forward": forward}


def receive_buffers(module: nn.Module, copies: Mapping[int, Tensor]) -> None:
    """Give `copies` (by the buffers' ids) the values that the wrapper's next forward pass will give the buffers.

    DDP sends rank 0's buffers to all before each forward pass but those under `no_sync`.
    """
    if not isinstance(module, DistributedDataParallel) or not module.will_sync_module_buffers():
        return
    group: Any = module.process_group
    first = torch.distributed.get_global_rank(group, 0)
    for name, buffer in module.module.named_buffers():
        if name not in module.parameters_to_ignore:
            torch.distributed.broadcast(copies[id(buffer)], first, group=group)
