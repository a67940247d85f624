"""What the numbers of a row are called, so that charts, tables and data sets name them alike.

A probe declares its fields. Of a field that no probe declared, or whose declaration does not fit its array, a text
field `layer` or `block` of the same length names the first axis; other axes have the field's name and their number.
It is drawn, as a line, if it is a number or has one for each layer or block.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clinometer.probes.field import NAMES, NOTHING, SINGLE, Declared, Field, Fields
from clinometer.store import Row, as_array

Arrays = Mapping[str, np.ndarray[Any, Any]]  # a row, its values as arrays
Axis = tuple[str, Sequence[str] | range]  # what it stands for, and its entries: names, or positions


class Rows(dict[str, Row]):
    """The rows of one step, by probe, together with the declarations of their fields: what a sink is called with."""

    def __init__(self, rows: Mapping[str, Row], declared: Declared = NOTHING) -> None:
        super().__init__(rows)
        self.declared = declared


def described(row: Arrays, declared: Fields | None = None) -> dict[str, Field]:
    """Each field of a row with its declaration, or what can be seen from the row where it has none.

    Example:
        >>> row = {"layer": np.array(["conv", "head"]), "l2": np.zeros(2), "speed": np.zeros(())}
        >>> found = described(row)
        >>> found["l2"].axes, found["layer"].kind, found["speed"].headline
        (('layer',), 'text', True)
        >>> described(row, {"speed": Field(unit="m / s")})["speed"].unit
        'm / s'
    """
    return {name: _described(row, name, declared or {}) for name in row}


def axes(row: Arrays, field: str, declared: Fields | None = None) -> tuple[Axis, ...]:
    """What each axis of a row's field stands for: its name, and the names or positions of its entries.

    The entries of `size` are positions in `sizes`, not the sizes themselves, which move with the learning rate.

    Example:
        >>> row = {"layer": np.array(["conv", "head"]), "mean": np.zeros((2, 8)), "spectrum": np.zeros(5)}
        >>> axes(row, "mean", {"mean": Field(("layer", "unit"))})
        (('layer', ('conv', 'head')), ('unit', range(0, 8)))
        >>> axes(row, "spectrum")
        (('spectrum_0', range(0, 5)),)
    """
    named = _described(row, field, declared or {}).axes
    return tuple((axis, _entries(row, axis, length)) for axis, length in zip(named, row[field].shape, strict=True))


def scalars(rows: Mapping[str, Row], declared: Declared | None = None) -> dict[str, float]:
    """The numbers of one step that have a name of their own, flat: what trackers draw and a data frame holds.

    `probe/field` for a single number, `probe/field/NAME` for one per layer or block, `probe/field/0`, `/1`, … for one
    per size or eigenvalue. Text, histograms and what is kept per unit are left out; NaN and infinity are not.

    Args:
        rows: Probe name to its row, as `Recorder` gives them to a sink.
        declared: The declarations of their fields; by default those that `Recorder` gives along with the rows.

    Example:
        >>> walk = {"losses": Field(axes=("size",))}
        >>> scalars({"walk": {"beta": 3.5, "losses": [1.0, float("inf")]}}, {"walk": walk})
        {'walk/beta': 3.5, 'walk/losses/0': 1.0, 'walk/losses/1': inf}
        >>> scalars({"internal_shift": {"layer": ["conv", "head"], "l2": [0.5, 0.25]}})
        {'internal_shift/l2/conv': 0.5, 'internal_shift/l2/head': 0.25}
    """
    known = declared if declared is not None else rows.declared if isinstance(rows, Rows) else NOTHING
    found: dict[str, float] = {}
    for probe, values in rows.items():
        row = {field: as_array(probe, field, value) for field, value in values.items()}
        for field, array in row.items():
            named = axes(row, field, known.get(probe))
            if array.dtype.kind == "U" or len(named) > 1 or any(axis not in SINGLE for axis, _ in named):
                continue
            entries = [f"/{_called(entry)}" for entry in named[0][1]] if named else [""]
            found |= {f"{probe}/{field}{e}": float(v) for e, v in zip(entries, array.reshape(-1), strict=True)}
    return found


def series(rows: Mapping[str, Mapping[int, Row]], declared: Declared = NOTHING) -> dict[str, dict[int, float]]:
    """The same over many steps: name to step to number.

    Args:
        rows: Probe name to step to row, as `Store.rows` returns them.
        declared: The declarations of their fields, as `declared_in(store.meta)` returns them.

    Example:
        >>> series({"train": {0: {"loss": 2.5}, 100: {"loss": 0.5}}})
        {'train/loss': {0: 2.5, 100: 0.5}}
    """
    found: dict[str, dict[int, float]] = {}
    for probe, steps in rows.items():
        for step, row in steps.items():
            for name, value in scalars({probe: row}, declared).items():
                found.setdefault(name, {})[step] = value
    return found


def is_name(row: Arrays, field: str) -> bool:
    """Whether a field is no measurement but names the entries of an axis of those beside it."""
    return field in NAMES and row[field].dtype.kind == "U" and row[field].ndim == 1


def shown(fields: Fields, known: Callable[[str], bool]) -> list[str]:
    """The fields to show, without those that only stand in for another: one is shown where the other has no number.

    Args:
        fields: The declarations of one probe's fields.
        known: Whether a field holds any number.

    Example:
        >>> fields = {"beta": Field(), "beta_lr_half": Field(otherwise="beta")}
        >>> shown(fields, lambda field: True), shown(fields, lambda field: field == "beta")
        (['beta_lr_half'], ['beta'])
    """
    pairs = [(name, field.otherwise) for name, field in fields.items() if field.otherwise in fields]
    dropped = {other if known(name) else name for name, other in pairs}
    return [name for name in fields if name not in dropped]


def drawn_fields(table: Arrays, declared: Fields) -> dict[str, Field]:
    """The fields to draw: those declared so, without the ones that stand in for another."""
    fields = described_fields(table, declared)
    known = {name for name, field in fields.items() if field.kind != "text" and not np.isnan(table[name]).all()}
    return {name: fields[name] for name in shown(fields, known.__contains__) if fields[name].drawing != "none"}


def described_fields(table: Arrays, declared: Fields) -> dict[str, Field]:
    """All fields of a table with their declarations."""
    return described({name: values[0] for name, values in table.items() if name != "step" and len(values)}, declared)


def _described(row: Arrays, name: str, declared: Fields) -> Field:
    array, field = row[name], declared.get(name)
    text = array.dtype.kind == "U"
    if field and (field.kind == "text") == text and _fits(row, field.axes, array.shape):
        return field
    named = [axis for axis in NAMES if array.ndim and _has_names(row, axis, len(array))][:1]
    numbered = [f"{name}_{number}" for number in range(len(named), array.ndim)]
    kind = "text" if text else "float" if array.dtype.kind == "f" else "integer"
    drawn = not text and array.ndim == len(named)
    return Field((*named, *numbered), kind=kind, headline=drawn, drawing="line" if drawn else "none")


def _entries(row: Arrays, axis: str, length: int) -> Sequence[str] | range:
    return tuple(str(entry) for entry in row[axis]) if axis in NAMES else range(length)


def _fits(row: Arrays, axes: Sequence[str], shape: Sequence[int]) -> bool:
    """Whether these can be the axes of an array: as many, and with the names of those whose entries have names."""
    if len(axes) != len(shape):
        return False
    return all(_has_names(row, axis, length) for axis, length in zip(axes, shape, strict=True) if axis in NAMES)


def _has_names(row: Arrays, axis: str, length: int) -> bool:
    return axis in row and is_name(row, axis) and len(row[axis]) == length


def _called(entry: str | int) -> str | int:
    return "model" if entry == "" else entry  # torch calls the whole model "", with which no chart's name can end
