"""What a batch is, in words: the sizes and types of its tensors."""

from collections.abc import Iterator
from typing import Any

from clinometer.recorder.facts.part import class_of, text

_MOST = 8  # tensors
_DEEPEST = 4


def batch_text(batch: Any) -> str:
    """The tensors of a batch: how many samples, the shape of one, and the type.

    Only lists, tuples and mappings of Python's own are looked into: to go through another object may change it.

    Example:
        >>> import torch
        >>> batch_text((torch.zeros(64, 3, 32, 32), torch.zeros(64, dtype=torch.long)))
        '64 × (3, 32, 32) float32; 64 int64'
        >>> batch_text({"ids": torch.zeros(8, 128), "epoch": 3})
        'ids: 8 × (128) float32; epoch: int'
    """
    found = list(_parts(batch, "", _DEEPEST))
    more = f"; {len(found) - _MOST} more" if len(found) > _MOST else ""
    return text("; ".join(found[:_MOST])) + more


def _parts(value: Any, name: str, deep: int) -> Iterator[str]:
    inside = getattr(value, "data", None) if class_of(value) in ("BatchEncoding", "UserDict") else value
    if isinstance(inside, dict) and deep:
        for key, each in inside.items():
            yield from _parts(each, f"{name}.{key}".lstrip(".") if isinstance(key, str) else name, deep - 1)
    elif isinstance(inside, list | tuple) and deep:
        for each in inside[: 2 * _MOST]:
            yield from _parts(each, name, deep - 1)
    else:
        yield f"{name}: {_leaf(value)}" if name else _leaf(value)


def _leaf(value: Any) -> str:
    shape, kind = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or kind is None:
        return class_of(value)
    sizes = [int(size) for size in shape]
    kind = str(kind).removeprefix("torch.")
    if not sizes:
        return f"one {kind}"
    return f"{sizes[0]} × ({', '.join(map(str, sizes[1:]))}) {kind}" if sizes[1:] else f"{sizes[0]} {kind}"
