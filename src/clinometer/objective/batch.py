"""The batch of a training step, kept for later: containers of its own, and a check that no tensor in it was changed.

A batch may be anything that the user's loss function takes. What is not understood here is passed on as it is.
"""

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clinometer.objective.interruptions import is_out_of_memory, is_transient

_CHANGED = (
    "the batch was changed in place, by the training step or by loss_fn, after the objective was made: what is "
    "measured would not be what was trained. Change a copy instead: batch = batch.clone()."
)
_NUMBERS = "biufc"  # NumPy's kinds of numbers

Sums = list[tuple[complex, complex] | None]


class KeptBatch:
    """A batch in containers of its own: a training step may pop labels from its dictionary.

    Args:
        batch: Anything. Its tensors are not copied.

    Example:
        >>> batch = {"x": torch.ones(2), "labels": torch.ones(2)}
        >>> kept = KeptBatch(batch)
        >>> _ = batch.pop("labels"), kept.fresh().pop("labels")
        >>> list(kept.fresh())
        ['x', 'labels']
        >>> batch["x"].numpy()[0] = 3.0                     # as torch does not notice
        >>> kept.check()
        Traceback (most recent call last):
        ...
        ValueError: the batch was changed in place, by the training step or by loss_fn, ...
    """

    def __init__(self, batch: Any) -> None:
        self._batch = copy_containers(batch)
        self._versions = _versions(self._batch)
        self._sums: Sums | None = _sums(self._batch)

    def fresh(self) -> Any:
        """The batch in containers that may be changed."""
        return copy_containers(self._batch)

    def checked(self) -> Any:
        """As `fresh`, of a batch that was not changed in place; ValueError otherwise."""
        self.check()
        return self.fresh()

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors in it, and its arrays as tensors where torch has their kind."""
        return list(_tensors(self._batch))

    def check(self) -> None:
        """ValueError if a tensor was changed in place. The first call also sees changes that torch does not count."""
        if _versions(self._batch) != self._versions:
            raise ValueError(_CHANGED)
        if self._sums is not None:  # once, after the training step: it costs a pass over the batch
            if not _equal(_sums(self._batch), self._sums):
                raise ValueError(_CHANGED)
            self._sums = None


def copy_containers(batch: Any, change: Callable[[Any], Any] = lambda value: value) -> Any:
    """The batch in new containers, of the same tensors: dicts and other mappings, lists, tuples, dataclasses.

    Args:
        batch: Anything.
        change: What takes the place of each value that is no container; by default the value itself.

    Example:
        >>> batch = {"x": [1, 2], "labels": 3}
        >>> copy_containers(batch).pop("labels")
        3
        >>> batch
        {'x': [1, 2], 'labels': 3}
    """
    try:
        return _copied(batch, change)
    except Exception as error:  # a class that cannot be copied, or sets its items in another way
        if is_transient(error):
            raise
        return batch


def _copied(batch: Any, change: Callable[[Any], Any]) -> Any:
    kind: Any = type(batch)
    if isinstance(batch, MutableMapping | list | deque):
        fresh = copy.copy(batch)
        for name, value in batch.items() if isinstance(batch, MutableMapping) else enumerate(batch):
            if (other := copy_containers(value, change)) is not value:
                fresh[name] = other
        return fresh
    if kind is tuple or (isinstance(batch, tuple) and hasattr(kind, "_fields")):
        items = [copy_containers(value, change) for value in batch]
        if all(new is old for new, old in zip(items, batch, strict=True)):
            return batch
        named: Any = kind
        return tuple(items) if kind is tuple else named._make(items)
    if isinstance(batch, set):
        return copy.copy(batch)
    names = _field_names(kind)
    if names is None:
        return change(batch)
    fresh = copy.copy(batch)
    for name in names:
        if hasattr(batch, name):
            object.__setattr__(fresh, name, copy_containers(getattr(batch, name), change))
    return fresh


def _field_names(kind: Any) -> list[str] | None:
    """The names of the fields of a dataclass, or of a class made by attrs; None for any other class."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    fields = getattr(kind, "__attrs_attrs__", None)
    return None if fields is None else [field.name for field in fields]


def values_in(batch: Any) -> Iterator[Any]:
    """The tensors and arrays in a batch."""
    if isinstance(batch, Tensor | np.ndarray):
        yield batch
    elif isinstance(batch, Mapping):
        for value in batch.values():
            yield from values_in(value)
    elif isinstance(batch, list | tuple | deque):
        for value in batch:
            yield from values_in(value)
    else:
        for name in _field_names(type(batch)) or ():
            yield from values_in(getattr(batch, name, None))


def _tensors(batch: Any) -> Iterator[Tensor]:
    for value in values_in(batch):
        if isinstance(value, Tensor):
            yield value


def _versions(batch: Any) -> list[int]:
    """The number of in-place changes to each tensor so far, as torch counts them."""
    return [t._version for t in _tensors(batch) if not t.is_inference()]


def _sums(batch: Any) -> Sums:
    """The sum of each tensor and array, and of its first half; None where it has none.

    They show changes by `.data`, NumPy and optimizers, which torch does not count, and samples that change places.
    """
    return [_sum(value) for value in values_in(batch)]


def _sum(value: Any) -> tuple[complex, complex] | None:
    try:
        if isinstance(value, np.ndarray):
            return _sum_of_array(np.asarray(value))
        numbers = _numbers(value.detach())
        return None if numbers is None else (_total(numbers), _total(numbers[: len(numbers) // 2]))
    except (RuntimeError, TypeError, ValueError) as error:
        if is_out_of_memory(error):
            raise
        return None  # a kind of tensor that cannot be added up, or that has no storage


def _sum_of_array(array: Any) -> tuple[complex, complex] | None:
    if array.dtype.kind not in _NUMBERS:
        return None
    wide = np.complex128 if array.dtype.kind == "c" else np.float64
    rows = np.atleast_1d(array)
    with np.errstate(all="ignore"):
        return complex(rows.sum(dtype=wide)), complex(rows[: len(rows) // 2].sum(dtype=wide))


def _numbers(tensor: Tensor) -> Tensor | None:
    """The elements of a tensor of any layout, in at least one dimension; None for a tensor without elements to see."""
    if tensor.device.type == "meta":
        return None
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    elif tensor.is_nested:
        tensor = tensor.values() if tensor.layout is torch.jagged else torch.cat([t.flatten() for t in tensor.unbind()])
    elif tensor.layout is torch.sparse_coo:
        tensor = tensor._values()
    elif tensor.layout is not torch.strided:
        tensor = tensor.values()
    return torch.atleast_1d(tensor)


def _total(tensor: Tensor) -> complex:
    return complex(tensor.sum(dtype=torch.complex128 if tensor.is_complex() else torch.float64).item())


def _equal(first: Sums, second: Sums) -> bool:
    """Whether the sums are the same, where NaN equals NaN."""
    return all(
        (a is None) == (b is None) and (a is None or np.array_equal(a, b, equal_nan=True))  # pyright: ignore[reportArgumentType]
        for a, b in zip(first, second, strict=True)
    )
