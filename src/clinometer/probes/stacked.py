"""The rows of one probe stacked along the steps, also where their shapes or names change over the run."""

from collections.abc import Mapping

import numpy as np

from clinometer.probes.field import NAMES
from clinometer.store import Table


def stacked(rows: Mapping[int, Table]) -> Table:
    """Rows by step as one table, as `Store.read` gives it where all rows are alike.

    What has a number for each layer or block is put by its name: a layer that comes later has NaN before. Where else a
    shape changes, shorter rows are filled with NaN; a field whose number of axes changes is left out.

    Example:
        >>> late = {"layer": np.array(["b", "a"]), "l2": np.array([2.0, 1.0])}
        >>> table = stacked({0: {"layer": np.array(["a"]), "l2": np.array([3.0])}, 5: late})
        >>> table["layer"][0].tolist(), table["l2"].tolist()
        (['a', 'b'], [[3.0, nan], [1.0, 2.0]])
    """
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    entries = {axis: _entries(rows, axis) for axis in NAMES if axis in names}
    ordered = [_ordered(row, entries) for row in rows.values()]
    found: Table = {"step": np.array(list(rows))}
    for name in names:
        arrays = [row.get(name) for row in ordered]
        present = [array for array in arrays if array is not None]
        if len({array.ndim for array in present}) == 1:
            found[name] = _filled(arrays, present)
    return found | {axis: np.tile(np.array(named), (len(rows), 1)) for axis, named in entries.items() if named}


def _entries(rows: Mapping[int, Table], axis: str) -> list[str]:
    """The names of all rows, in the order in which they come; none where they are no names."""
    lists = [row[axis] for row in rows.values() if axis in row]
    if any(each.ndim != 1 or each.dtype.kind != "U" for each in lists):
        return []
    return list(dict.fromkeys(str(name) for each in lists for name in each))


def _ordered(row: Table, entries: Mapping[str, list[str]]) -> Table:
    """The row with what it has for each name at that name's place among all."""
    for axis, names in entries.items():
        own = [str(name) for name in row[axis]] if axis in row and names else names
        if own == names or len(set(own)) < len(own):
            continue
        places = [names.index(name) for name in own]
        row = {
            name: _placed(array, places, len(names))
            if name != axis and array.ndim and len(array) == len(own)
            else array
            for name, array in row.items()
        } | {axis: np.array(names)}
    return row


def _placed(array: np.ndarray, places: list[int], count: int) -> np.ndarray:
    found = np.full((count, *array.shape[1:]), _nothing(array), dtype=_wide(array))
    found[places] = array
    return found


def _filled(arrays: list[np.ndarray | None], present: list[np.ndarray]) -> np.ndarray:
    shapes = {array.shape for array in present}
    if len(shapes) == 1 and len(present) == len(arrays):
        return np.stack(present)
    shape = tuple(max(sides) for sides in zip(*shapes, strict=True))
    kind = np.result_type(*(_wide(array) for array in present))
    found = np.full((len(arrays), *shape), _nothing(present[0]), dtype=kind)
    for index, array in enumerate(arrays):
        if array is not None:
            found[(index, *map(slice, array.shape))] = array
    return found


def _nothing(array: np.ndarray) -> object:
    return "" if array.dtype.kind == "U" else np.nan


def _wide(array: np.ndarray) -> np.dtype:
    """A type that has room for what is not there."""
    return array.dtype if array.dtype.kind in "fU" else np.dtype(float)
