"""One value of a row as it lies on disk: a type, a shape and bytes, and a checksum of all that says what it is.

What comes from disk is not believed: types other than numbers and text, and sizes that the bytes do not bear out, are
refused before anything of that size is made.
"""

import functools
import json
import math
import re
import sys
import zlib
from typing import Any

import numpy as np

Array = Any  # a tensor, a NumPy array, a number, or a sequence of numbers or strings

LARGEST = 2**29  # bytes of one value; more at one step is a mistake, or a trap
_TYPE = re.compile(r"[<>|][biufU][1-9]\d{0,9}")  # no objects: those would be unpickled
_SHAPE = re.compile(r"\[(\d{1,12}(, \d{1,12}){0,31})?\]")


def as_array(probe: str, name: str, value: Array) -> np.ndarray[Any, Any]:
    """What a probe returned under `name`, as the store keeps it.

    Raises:
        ValueError: if it is not made of numbers or text, or is larger than 512 MiB.

    Example:
        >>> import torch
        >>> as_array("train", "loss", torch.tensor(2.5))
        array(2.5, dtype=float32)
    """
    if name == "step":
        raise ValueError(f"{probe} has a field named 'step', which is the index of its rows; name it otherwise.")
    torch = sys.modules.get("torch")  # without it there are no tensors, and reading rows need not wait for it
    if torch and isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
    array = np.asarray(value)
    if array.dtype.kind not in "biufU":
        raise ValueError(
            f"{probe}.{name} must hold numbers or text; found {type(value).__name__} of {array.dtype}. "
            "A probe returns tensors, arrays, numbers or sequences of them."
        )
    try:
        kind_of(array.dtype.str, json.dumps(array.shape))
    except ValueError as error:
        raise ValueError(f"{probe}.{name} cannot be kept: {error}. Return less of it.") from error
    return array


@functools.lru_cache(maxsize=1_000)
def kind_of(dtype: str, shape: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type and the shape that a store declares; ValueError if no value that it wrote can have them.

    Example:
        >>> kind_of("<f4", "[2, 3]")
        (dtype('float32'), (2, 3))
    """
    if not (_TYPE.fullmatch(dtype) and _SHAPE.fullmatch(shape)):
        raise ValueError(f"no array of numbers or text is {dtype[:40]!r} {shape[:40]!r}")
    try:
        kind = np.dtype(dtype)
    except TypeError as error:
        raise ValueError(f"NumPy has no type {dtype!r}") from error
    sides = tuple(json.loads(shape))
    # A side of 0 must not hide a huge one beside it, which would name an axis.
    if (size := kind.itemsize * math.prod(max(side, 1) for side in sides)) > LARGEST:
        raise ValueError(f"{dtype} {shape} would take {size:,} bytes, and one value has at most {LARGEST:,}")
    return kind, sides


def decode(kind: np.dtype[Any], sides: tuple[int, ...], data: bytes) -> np.ndarray[Any, Any]:
    """The array that was encoded as these bytes; ValueError if they cannot be it."""
    if len(data) != kind.itemsize * math.prod(sides):
        raise ValueError(f"{len(data):,} bytes are no {kind.str} of shape {list(sides)}")
    array = np.frombuffer(data, kind).reshape(sides)
    if kind.kind == "U" and (np.frombuffer(data, f"{kind.str[0]}u4") > 0x10FFFF).any():
        raise ValueError("it holds text that is not Unicode")
    return array


def checksum(*told: str | int, data: bytes = b"") -> int:
    """CRC-32 of some bytes and of what they are said to be: it finds every damage within 32 bits in a row.

    Example:
        >>> checksum(3, "train", "loss", data=b"ab") == checksum(3, "train", "lossa", data=b"b")
        False
    """
    return zlib.crc32(data, zlib.crc32(json.dumps(told).encode()))
