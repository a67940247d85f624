"""Several batches that a loss is the mean of: a list, a loader, or the first ones of a generator.

They are read once and kept, so that a quantity changes from step to step because the network does and not the sample.
Reading leaves the program's random draws alone, though a loader that shuffles takes them from there.
"""

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from clinometer.objective.batch import KeptBatch
from clinometer.objective.discover import reached_by
from clinometer.objective.distributed import Ranks
from clinometer.objective.generators import Generators, seed_generator
from clinometer.objective.progress import Progress, progress_callback
from clinometer.objective.rng import RngState
from clinometer.readable.text import name_of

Weights = Literal["samples"] | Sequence[float] | Callable[[Any], float]


class Batches:
    """Batches to measure on together: the loss is their mean, each with BatchNorm statistics of its own.

        L(x) = Σ wᵢ Lᵢ(x) / Σ wᵢ

    They are read when they are first needed, and kept from then on. A loader that shuffles does so by the program's
    seed (`torch.initial_seed()`), whatever has been drawn before: a resumed run reads what the first one did. Random
    streams, generators that the loader and its data set hold, and the workers of another pass over it stay as they
    were; a generator, and a data set that is iterated itself, are read on. With several processes each reads its own.

    Memory: the batches, by reference, and about 30 kB for the random draws of each. Cost of an evaluation: that of one
    batch for each.

    Args:
        source: Batches as `loss_fn` takes them: a list, a `DataLoader`, or any iterable.
        limit: Read so many at most; needed where `source` does not tell its length.
        weights: Of the batches. By default they count alike; `samples` weighs them by their size, the length of their
            first tensor, so that the mean is one over samples; or a number for each, or a function of a batch.
        progress: Called as `progress(done, total)` after each batch of each evaluation; or an object with `update(1)`,
            such as tqdm's.

    Raises:
        TypeError: if `source` is no iterable of batches.
        ValueError: if it is empty, or endless for all one knows; if `limit` or a weight is out of its range; or, in an
            objective, if ranks read different numbers of batches.

    Example:
        >>> from clinometer import Objective
        >>> model = torch.nn.Linear(1, 1, bias=False)
        >>> batches = Batches([torch.tensor([[1.0]]), torch.tensor([[2.0], [2.0]])], weights="samples")
        >>> objective = Objective(model, lambda model, x: model(x).mean(), batches)
        >>> objective.loss({"weight": torch.tensor([[3.0]])})               # (1 · 3 + 2 · 6) / 3
        tensor(5.)
    """

    def __init__(
        self,
        source: Iterable[Any],
        *,
        limit: int | None = None,
        weights: Weights | None = None,
        progress: Progress | Any = None,
    ) -> None:
        _check_source(source)
        _check_limit(limit)
        if limit is None and _length(source) is None:
            raise ValueError(
                f"a {type(source).__name__} does not tell how many batches it has, and may have no end: "
                "pass Batches(source, limit=8), say."
            )
        self._source: Iterable[Any] = source
        self._limit = limit
        self._weights: Any = weights
        self._batches: tuple[KeptBatch, ...] | None = None
        self.progress = progress_callback(progress)

    @classmethod
    def of(cls, given: "Iterable[Any] | Batches | None") -> "Batches | None":
        """The batches that a probe was given; None for none."""
        return given if given is None or isinstance(given, Batches) else cls(given)

    def __repr__(self) -> str:
        if self._batches is not None:
            return f"Batches({len(self._batches)} batches, read)"
        limit = "" if self._limit is None else f", limit={self._limit}"
        return f"Batches({name_of(type(self._source))}{limit}, not read yet)"

    def __len__(self) -> int:
        if self._batches is not None:
            return len(self._batches)
        sizes = [size for size in (_length(self._source), self._limit) if size is not None]
        return min(sizes)

    def read(self) -> tuple[KeptBatch, ...]:
        """The batches, read at the first call."""
        if self._batches is None:
            found = tuple(map(KeptBatch, _without_trace(self._source, self._limit)))
            if not found:
                raise ValueError(f"expected at least one batch; the {type(self._source).__name__} has none.")
            self._batches, self._source = found, ()
        return self._batches

    def weights(self, ranks: Ranks) -> tuple[float, ...] | None:
        """The batches' weights in the sum that is the mean, also over the batches of all ranks; None if all are alike.

        Raises:
            ValueError: if ranks have different numbers of batches, or the weights cannot be used.
        """
        kept = self.read()
        counts = ranks.all_gather(len(kept))
        if len(set(counts)) > 1:
            raise ValueError(
                f"the ranks read {', '.join(str(int(count)) for count in counts)} batches; expected the same number on "
                f"each. Pass Batches(source, limit={int(min(counts))})."
            )
        if self._weights is None:
            return None
        weights = _numbers(self._weights, kept)
        return tuple(weight / ranks.mean(sum(weights)) for weight in weights)


def _check_source(source: Any) -> None:
    if isinstance(source, Tensor | np.ndarray | dict | str | bytes) or not hasattr(type(source), "__iter__"):
        raise TypeError(
            f"batches must be several batches, in a list or a loader; found {type(source).__name__}. "
            "One batch alone is batches=[batch]."
        )


def _check_limit(limit: Any) -> None:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit must be a whole number from 1; found {limit!r}.")


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:  # as a DataLoader raises where its data set has no length
        return None


def _without_trace(source: Iterable[Any], limit: int | None) -> list[Any]:
    """The first batches, with the streams that they may be drawn from set for this and put back."""
    seed = (1_000_003 * torch.initial_seed() + 1) % 2**63  # not the program's own: its first shuffle is another sample
    generators = reached_by(source).generators
    with RngState.seeded(seed).replayed(), Generators(generators).replayed():
        for generator in generators:
            seed_generator(generator, seed)
        return list(islice(_another_pass(source), limit))


def _another_pass(source: Any) -> Any:
    """The source; for a loader a copy, as one whose workers persist would end the pass that training is in."""
    if not isinstance(source, DataLoader):
        return source
    loader: Any = copy.copy(source)
    vars(loader).update(_iterator=None)
    return loader


def _numbers(weights: Any, batches: Sequence[KeptBatch]) -> list[float]:
    if isinstance(weights, str):
        if weights != "samples":
            raise ValueError(f"weights must be 'samples', numbers, or a function of a batch; found {weights!r}.")
        found = [float(_samples(batch)) for batch in batches]
    elif callable(weights):
        of_batch: Callable[[Any], Any] = weights
        found = [float(of_batch(batch.fresh())) for batch in batches]
    else:
        found = [float(weight) for weight in weights]
    if len(found) != len(batches):
        raise ValueError(f"expected a weight for each of {len(batches)} batches; found {len(found)}.")
    if not all(0 <= weight < math.inf for weight in found) or not sum(found) > 0:
        raise ValueError(f"weights must be finite, and at least 0 with one above it; found {found}.")
    return found


def _samples(batch: KeptBatch) -> int:
    """How many samples a batch has: the length of its first tensor."""
    first = next((tensor for tensor in batch.tensors if tensor.ndim), None)
    if first is None:
        raise ValueError("weights='samples' takes the length of a batch's first tensor, and a batch has none.")
    return len(first)
