"""Results of measurements as they are shown: a line with shapes and ranges; in a notebook a table of their vectors."""

import dataclasses
from typing import Any, TypeVar

from clinometer.readable import html
from clinometer.readable.call import is_default
from clinometer.readable.text import name_of, number, short

_ROWS = 40  # of a table
_Class = TypeVar("_Class")


def readable(cls: type[_Class]) -> type[_Class]:
    """A dataclass whose repr has a short word for each field, without those that are as by default.

    In a notebook, its vectors of one length are the columns of a table.

    Example:
        >>> import numpy as np
        >>> @readable
        ... @dataclasses.dataclass(frozen=True)
        ... class Spectrum:
        ...     values: np.ndarray
        ...     residuals: np.ndarray
        ...     products: int = 0
        >>> found = Spectrum(np.arange(50.0), np.zeros(50), products=12)
        >>> found
        Spectrum(values=50 float64, 0 to 49, residuals=50 float64, 0 to 0, products=12)
        >>> Spectrum(np.array([4.0, 1.0]), np.zeros(2))._repr_html_().count("<tr>")
        3
    """
    shown: Any = cls
    shown.__repr__ = _repr
    if not hasattr(cls, "_repr_html_"):
        shown._repr_html_ = _repr_html
    return cls


def _repr(self: Any) -> str:
    told = [f"{field.name}={short(value)}" for field, value in _fields(self) if not is_default(value, field.default)]
    return f"{name_of(type(self))}({', '.join(told)})"


def _repr_html(self: Any) -> str | None:
    """Its vectors as a table below the other fields; None, and so the repr, if there are none."""
    try:
        columns = {field.name: _entries(value) for field, value in _fields(self)}
    except Exception:  # it is shown as text then
        return None
    length = max((len(entries) for entries in columns.values()), default=0)
    columns = {name: entries for name, entries in columns.items() if len(entries) == length}
    if length < 2:
        return None
    rest = [f"{f.name} {short(v)}" for f, v in _fields(self) if f.name not in columns and v is not None]
    rows = [[html.text(entry) for entry in row] for row in list(zip(*columns.values(), strict=True))[:_ROWS]]
    more = [f"… {length} in all"] if length > _ROWS else []
    below = " · ".join([*more, *rest])
    return f"<div><b>{html.text(name_of(type(self)))}</b> {html.text(below)}{html.table(list(columns), rows)}</div>"


def _fields(self: Any) -> list[tuple[Any, Any]]:
    """Its public fields with their values; None of one that is not set, as in an object that is half made."""
    fields = [field for field in dataclasses.fields(type(self)) if field.repr and not field.name.startswith("_")]
    return [(field, getattr(self, field.name, None)) for field in fields]


def _entries(value: Any) -> list[str]:
    """The entries of a vector, or of a list of names or numbers; [] of anything else."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        value = value.tolist() if len(value.shape) == 1 else []
    if not isinstance(value, list | tuple) or not all(isinstance(each, str | int | float) for each in value):
        return []
    return [each if isinstance(each, str) else str(each) if isinstance(each, bool) else number(each) for each in value]
