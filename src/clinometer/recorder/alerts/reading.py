"""One quantity in the rows of a step: a number, or one for each block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.probes.field import NAMES
from clinometer.store import Row, as_array

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Truths = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Reading:
    """The values of a quantity at one step."""

    values: Numbers  # (n,)
    names: tuple[str, ...]  # of the n blocks; () where the quantity is one number


def read(quantity: str, rows: Mapping[str, Row]) -> Reading | None:
    """The quantity "probe/field" in the rows of a step; None if that probe was not due, or found nothing to measure.

    Raises:
        ValueError: if its row has no such field, or the field is text or a table.

    Example:
        >>> read("step_norms/update_ratio", {"step_norms": {"block": ["conv", "head"], "update_ratio": [0.1, 0.2]}})
        Reading(values=array([0.1, 0.2]), names=('conv', 'head'))
        >>> read("headroom/loss", {"step_norms": {"loss": 2.3}}) is None
        True
    """
    probe, _, field = quantity.partition("/")
    if probe not in rows:
        return None
    row = rows[probe]
    if field not in row:
        raise ValueError(f"an alert reads {quantity}, and the rows of {probe} hold {', '.join(row)}.")
    array = as_array(probe, field, row[field])
    if array.dtype.kind == "U" or array.ndim > 1:
        found = "text" if array.dtype.kind == "U" else f"of shape {array.shape}"
        raise ValueError(f"an alert reads a number, or one for each block; found {quantity}, which is {found}.")
    values = np.atleast_1d(array.astype(np.float64))
    if not len(values):  # such as the attention of a network without any
        return None
    return Reading(values, _names(row, len(values)) if array.ndim else ())


def _names(row: Row, length: int) -> tuple[str, ...]:
    for axis in NAMES:
        if axis in row and len(row[axis]) == length:
            return tuple(str(name) or "model" for name in row[axis])  # torch calls a model that is one layer ""
    return tuple(map(str, range(length)))
