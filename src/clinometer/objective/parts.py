"""Parts of a batch: how many samples it has, and how it is split along them.

Samples lie along the first dimension of its tensors and arrays.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clinometer.objective.batch import copy_containers, values_in


def size_of(batch: Any) -> float:
    """How many samples a batch has: the length that the first dimensions of its tensors and arrays share.

    NaN where they differ, or there is none; and for a sequence of several that are made alike, such as a list of pairs
    of tensors, which may be a group of batches. Tensors without a dimension do not count.

    Example:
        >>> size_of({"x": torch.zeros(8, 3), "labels": torch.zeros(8), "temperature": torch.tensor(1.0)})
        8.0
        >>> size_of((torch.zeros(8, 3), torch.zeros(4))), size_of([(torch.zeros(8), torch.zeros(8))] * 4)
        (nan, nan)
    """
    if isinstance(batch, list | tuple) and _may_be_a_group(batch):
        return math.nan
    lengths = {_length(value) for value in values_in(batch) if value.ndim}
    return float(lengths.pop()) if len(lengths) == 1 else math.nan


def split_batch(batch: Any, parts: int) -> list[Any]:
    """A batch in parts of equal sizes, or sizes that differ by one: its tensors and arrays along the first dimension.

    Values of other kinds are in each part. There are as many parts as samples if `parts` is larger.

    Raises:
        ValueError: if its tensors and arrays have several lengths, there is none, or there is a single sample.

    Example:
        >>> [part["x"].tolist() for part in split_batch({"x": torch.arange(5), "task": "sum"}, 2)]
        [[0, 1, 2], [3, 4]]
    """
    samples = size_of(batch)
    count = min(parts, int(samples)) if samples >= 2 else 0
    found = [copy_containers(batch, partial(_piece, count=count, number=number)) for number in range(count)]
    if not found or sum(map(size_of, found)) != samples:
        lengths = sorted({_length(value) for value in values_in(batch) if value.ndim})
        raise ValueError(
            "the batch cannot be split: expected tensors or arrays with the same number of samples, two or more, along "
            f"the first dimension, in lists, tuples, dicts or dataclasses; found {type(batch).__name__} with "
            f"{'lengths ' + ', '.join(map(str, lengths)) if lengths else 'none'}"
            f"{', which may be a group of batches' if len(lengths) == 1 and lengths[0] > 1 else ''}."
        )
    return found


def _piece(value: Any, count: int, number: int) -> Any:
    if isinstance(value, np.ndarray) and value.ndim:
        return np.array_split(value, count)[number]
    if isinstance(value, Tensor) and value.ndim:
        # A leaf, as the whole is: gradients by it must not reach the batch that training holds.
        return value.detach().tensor_split(count)[number].requires_grad_(value.requires_grad)
    return value


def _may_be_a_group(batches: Sequence[Any]) -> bool:
    """Whether there are several containers of tensors, which differ in nothing but perhaps their lengths."""
    alike = {_structure(each) for each in batches}
    return len(batches) > 1 and len(alike) == 1 and None not in alike


def _structure(container: Any) -> tuple[Any, ...] | None:
    """The type of a container, and what its tensors are but for their lengths; None without any, and for a tensor."""
    if isinstance(container, Tensor | np.ndarray) or not (values := list(values_in(container))):
        return None
    return type(container), *((value.dtype, None if _is_nested(value) else value.shape[1:]) for value in values)


def _is_nested(value: Any) -> bool:
    return bool(getattr(value, "is_nested", False))  # such a tensor has no shape


def _length(value: Any) -> int:
    return value.size(0) if isinstance(value, torch.Tensor) else value.shape[0]
