"""The workers that share a batch in data-parallel training: simulated in one process, or processes of their own."""

import contextlib
import functools
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

Gradients = dict[Tensor, Tensor]  # by parameter; one that the loss does not reach has none


class SimulatedWorkers:
    """Workers of one process, one after the other.

    Args:
        count: How many.
    """

    first = 0  # the number of this process's first worker

    def __init__(self, count: Any) -> None:
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(
                "`workers` must be a number of workers, or a DistributedDataParallel model; found "
                f"{type(count).__name__}."
            )
        if count < 1:
            raise ValueError(f"`workers` must be at least 1; found {count}.")
        self.count = count

    def parts(self, batch: Any) -> list[Any]:
        """The part of each worker."""
        return split(batch, self.count)

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """A block in which a backward pass leaves one worker's gradients."""
        return contextlib.nullcontext()

    def mean(self, gradients: Sequence[Gradients], parameters: Sequence[Tensor]) -> Gradients:
        """The mean over workers; parameters that no worker's loss reaches are left out."""
        found: Gradients = {}
        for p in parameters:
            given = [each[p] for each in gradients if p in each]
            if given:
                total = functools.reduce(Tensor.add_, given[1:], given[0].clone())
                found[p] = total.div_(self.count)
        return found

    def mean_loss(self, losses: Sequence[Tensor]) -> Tensor:
        """The mean over workers."""
        return torch.stack(list(losses)).mean()

    def of_neighbours(self, noise: Sequence[Gradients]) -> list[Gradients]:
        """For each worker that of the next one; the last gets the first's."""
        return [*noise[1:], *noise[:1]]


class Processes:
    """The processes of a `DistributedDataParallel` model, one worker each.

    Args:
        model: The wrapped model, whose processes average gradients here.
    """

    def __init__(self, model: DistributedDataParallel) -> None:
        self._model = model
        self._group = cast("dist.ProcessGroup", model.process_group)
        self.count = dist.get_world_size(self._group)
        self.first = dist.get_rank(self._group)

    def parts(self, batch: Any) -> list[Any]:
        """This process's batch as a whole."""
        return [batch]

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """A block in which a backward pass leaves this process's gradients, and not the mean."""
        return self._model.no_sync()

    def mean(self, gradients: Sequence[Gradients], parameters: Sequence[Tensor]) -> Gradients:
        """The mean over processes; parameters that no process's loss reaches are left out."""
        (own,) = gradients
        reached = torch.tensor([float(p in own) for p in parameters], device=parameters[0].device)
        dist.all_reduce(reached, group=self._group)
        found: Gradients = {}
        for p, number in zip(parameters, reached.tolist(), strict=True):
            if number:
                found[p] = own[p].clone() if p in own else torch.zeros_like(p)
                dist.all_reduce(found[p], group=self._group)
                found[p].div_(self.count)
        return found

    def mean_loss(self, losses: Sequence[Tensor]) -> Tensor:
        """The mean over processes."""
        (loss,) = losses
        total = loss.clone()
        dist.all_reduce(total, group=self._group)
        return total / self.count

    def of_neighbours(self, noise: Sequence[Gradients]) -> list[Gradients]:
        """That of the next process; the last gets the first's."""
        (own,) = noise
        received = {p: torch.empty_like(value) for p, value in own.items()}
        ranks = [dist.get_global_rank(self._group, (self.first + by) % self.count) for by in (-1, 1)]
        for p, value in own.items():
            sent = dist.P2POp(dist.isend, value.contiguous(), ranks[0], self._group)
            got = dist.P2POp(dist.irecv, received[p], ranks[1], self._group)
            for request in dist.batch_isend_irecv([sent, got]):
                request.wait()
        return [received]


def split(batch: Any, workers: int) -> list[Any]:
    """A batch in equal parts along the first dimension of its tensors, as views.

    Args:
        batch: A tensor, or tuples, lists and mappings of tensors, of one length.
        workers: How many parts.

    Raises:
        TypeError: if the batch holds something else.
        ValueError: if its tensors differ in length, or the length does not divide.

    Example:
        >>> [part["x"].tolist() for part in split({"x": torch.arange(4)}, 2)]
        [[0, 1], [2, 3]]
    """
    lengths = {len(tensor) if tensor.ndim else 0 for tensor in _tensors(batch)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"expected tensors of one length along their first dimension; found {sorted(lengths)}.")
    (length,) = lengths
    if length % workers:
        nearest = max(workers, length - length % workers)
        raise ValueError(
            f"a batch of {length} does not divide into {workers} equal parts; expected a multiple such as {nearest}. "
            "Leave out an epoch's incomplete last batch, as DataLoader(drop_last=True) does."
        )
    size = length // workers
    return [_part(batch, slice(start, start + size)) for start in range(0, length, size)]


def _tensors(batch: Any) -> list[Tensor]:
    if isinstance(batch, Tensor):
        return [batch]
    if isinstance(batch, Mapping | tuple | list):
        held: Any = batch.values() if isinstance(batch, Mapping) else batch
        return [tensor for each in held for tensor in _tensors(each)]
    raise TypeError(
        f"expected a batch of tensors, or of tuples, lists and mappings of them; found {type(batch).__name__}."
    )


def _part(batch: Any, chosen: slice) -> Any:
    if isinstance(batch, Tensor):
        return batch[chosen]
    if isinstance(batch, Mapping):
        return {key: _part(value, chosen) for key, value in cast("Mapping[Any, Any]", batch).items()}
    parts = [_part(each, chosen) for each in batch]
    return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
