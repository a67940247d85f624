"""What the numbers of a row are called, so that charts, tables and data sets name them alike.

A row may say itself what an axis of its arrays stands for: a text field `layer` or `block` names the entries of every
array that begins with an axis of that length, and so does `sizes` the steps of a walk.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clinometer.store import Row, as_array

NAMES = ("layer", "block")  # text fields that name the first axis of the fields beside them
_SECOND = {"counts": "bin", "edges": "edge"}  # what follows a layer where it is not a unit

Axis = tuple[str, Sequence[str] | range]  # what it stands for, and its entries: names, or positions


def axes(row: Mapping[str, np.ndarray[Any, Any]], field: str) -> tuple[Axis, ...]:
    """What each axis of a row's field stands for.

    `layer` or `block` with their names, `size` with the position in `sizes` (not the size itself, which moves with the
    learning rate), `unit`, `bin` or `edge` after a layer, and otherwise the field's name and the axis's number.

    Example:
        >>> row = {"layer": np.array(["conv", "head"]), "l2": np.zeros(2)}
        >>> row |= {"mean": np.zeros((2, 8)), "spectrum": np.zeros(5)}
        >>> axes(row, "l2")
        (('layer', ('conv', 'head')),)
        >>> axes(row, "mean")
        (('layer', ('conv', 'head')), ('unit', range(0, 8)))
        >>> axes(row, "spectrum")
        (('spectrum_0', range(0, 5)),)
    """
    found: list[Axis] = []
    for number, length in enumerate(row[field].shape):
        name = next((name for name in NAMES if not number and _names(row, name) == length), None)
        if name and field != "sizes":  # of which there may be as many as layers
            found.append((name, tuple(str(entry) for entry in row[name])))
        elif _sizes(row) == length:
            found.append(("size", range(length)))
        elif number == 1 and found[0][0] == "layer":
            found.append((_SECOND.get(field, "unit"), range(length)))
        else:
            found.append((f"{field}_{number}", range(length)))
    return tuple(found)


def scalars(rows: Mapping[str, Row]) -> dict[str, float]:
    """The numbers of one step that have a name of their own, flat: what trackers draw and a data frame holds.

    `probe/field` for a single number, `probe/field/NAME` for one per layer or block, `probe/field/0`, `/1`, … for one
    per size. Text, histograms and what is kept per unit are left out; NaN and infinity are not.

    Args:
        rows: Probe name to its row, as `Recorder` gives them to a sink.

    Example:
        >>> scalars({"landscape": {"beta": 3.5, "sizes": [0.1, 0.2], "losses": [1.0, float("inf")]}})
        ... # doctest: +NORMALIZE_WHITESPACE
        {'landscape/beta': 3.5, 'landscape/sizes/0': 0.1, 'landscape/sizes/1': 0.2,
         'landscape/losses/0': 1.0, 'landscape/losses/1': inf}
        >>> scalars({"internal_shift": {"layer": ["conv", "head"], "l2": [0.5, 0.25]}})
        {'internal_shift/l2/conv': 0.5, 'internal_shift/l2/head': 0.25}
    """
    found: dict[str, float] = {}
    for probe, values in rows.items():
        row = {field: as_array(probe, field, value) for field, value in values.items()}
        for field, array in row.items():
            named = axes(row, field) if array.ndim else ()
            if array.dtype.kind == "U" or len(named) > 1 or any(axis not in (*NAMES, "size") for axis, _ in named):
                continue
            entries = [f"/{_called(entry)}" for entry in named[0][1]] if named else [""]
            found |= {f"{probe}/{field}{e}": float(v) for e, v in zip(entries, array.reshape(-1), strict=True)}
    return found


def series(rows: Mapping[str, Mapping[int, Row]]) -> dict[str, dict[int, float]]:
    """The same over many steps: name to step to number.

    Args:
        rows: Probe name to step to row, as `Store.rows` returns them.

    Example:
        >>> series({"train": {0: {"loss": 2.5}, 100: {"loss": 0.5}}})
        {'train/loss': {0: 2.5, 100: 0.5}}
    """
    found: dict[str, dict[int, float]] = {}
    for probe, steps in rows.items():
        for step, row in steps.items():
            for name, value in scalars({probe: row}).items():
                found.setdefault(name, {})[step] = value
    return found


def is_name(row: Mapping[str, np.ndarray[Any, Any]], field: str) -> bool:
    """Whether a field is no measurement but names the entries of those beside it."""
    return field in NAMES and row[field].dtype.kind == "U" and row[field].ndim == 1


def _names(row: Mapping[str, np.ndarray[Any, Any]], name: str) -> int | None:
    """How many names the row's field `name` holds, if there is one."""
    return len(row[name]) if name in row and is_name(row, name) else None


def _sizes(row: Mapping[str, np.ndarray[Any, Any]]) -> int | None:
    return len(row["sizes"]) if "sizes" in row and row["sizes"].ndim == 1 else None


def _called(entry: str | int) -> str | int:
    return "model" if entry == "" else entry  # torch calls the whole model "", with which no chart's name can end
