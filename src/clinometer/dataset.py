"""A run's rows as a labelled data set: what a notebook opens."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clinometer.extras import need
from clinometer.labels import NAMES, Axis, axes, is_name, series
from clinometer.store import Store, Table

_SHARED = (*NAMES, "size")  # axes that mean the same in every probe

Coordinates = dict[str, list[Any]]  # axis to its entries
Column = dict[tuple[Axis, ...], list[tuple[int, np.ndarray[Any, Any]]]]  # one field: (step, array), by the array's axes


def load(path: str | Path, to: Literal["xarray", "pandas"] = "xarray") -> Any:
    """A run's rows with names on their axes; also of a run that is still going on, or was killed.

    As an `xarray.Dataset`: variables `PROBE_FIELD` with axes `step`, `layer` and `block` (with their names), and `size`
    (the position among the walk's sizes, which themselves are `PROBE_sizes`). All probes share these axes: where one
    has nothing, since its schedule differs, or an array was shorter at another step, there stands NaN, integers
    becoming floats, and "" for text. NaN and infinity that were measured are kept. Arrays with another axis share none,
    since joined they might not fit into memory: `activations_mean` has axes `activations_step`, `activations_layer`,
    `activations_unit`. `attrs` holds the store's facts.

    As a `pandas.DataFrame`: one row per step, one column of floats per number that a chart could show, named as in
    trackers: `landscape/beta`, `internal_shift/l2/LAYER`, `landscape/losses/0`. That is what `.plot()`, `.describe()`
    and `.to_csv()` expect; long tables, and arrays per unit, are a call away: `load(path).PROBE_FIELD.to_dataframe()`.

    All rows are read at one moment, and are held in memory.

    Args:
        path: The recorder's folder, or its `rows.sqlite`.
        to: Which of the two.

    Raises:
        ValueError: if there is no store, the file is something else, or a field's axes change between steps.
        ImportError: if the library is not installed: `pip install 'clinometer[export]'`.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> store = Store(f"{folder}/rows.sqlite")
        >>> for step in (0, 100):
        ...     store.append(step, {"shift": {"layer": ["conv", "head"], "l2": [0.5, 0.25 + step]}})
        >>> load(folder).shift_l2.sel(layer="head").values
        array([  0.25, 100.25])
        >>> load(folder, to="pandas")["shift/l2/head"].to_dict()
        {0: 0.25, 100: 100.25}
    """
    if to not in ("xarray", "pandas"):
        raise ValueError(f"to must be 'xarray' or 'pandas'; found {to!r}.")
    library = need(to, "export")
    store = Store(store_file(path), read_only=True)
    rows, facts = store.rows(), store.meta
    store.close()
    return _dataset(library, rows, facts) if to == "xarray" else _frame(library, rows)


def store_file(path: str | Path) -> Path:
    """The store that `path` means: itself, or the `rows.sqlite` in this folder.

    Example:
        >>> store_file("runs/mine/rows.sqlite").name
        'rows.sqlite'
    """
    path = Path(path)
    return path / "rows.sqlite" if path.is_dir() else path


def _dataset(xarray: Any, rows: Mapping[str, Mapping[int, Table]], facts: Mapping[str, Any]) -> Any:
    columns = _columns(rows)
    coordinates: Coordinates = {"step": []}
    for steps, column in columns.values():
        seen = {step for found in column.values() for step, _ in found}
        coordinates[steps] = sorted(seen.union(coordinates.get(steps, ())))
        for axis, entries in itertools.chain.from_iterable(column):
            coordinates[axis] = list(dict.fromkeys(itertools.chain(coordinates.get(axis, ()), entries)))
    variables = {name: _variable(name, steps, column, coordinates) for name, (steps, column) in columns.items()}
    named = {axis: entries for axis, entries in coordinates.items() if axis.endswith(("step", *NAMES))}
    return xarray.Dataset(variables, coords=named, attrs=dict(facts))


def _frame(pandas: Any, rows: Mapping[str, Mapping[int, Table]]) -> Any:
    found = series(rows)
    steps = pandas.Index(sorted(set().union(*found.values())), name="step", dtype=int)
    return pandas.DataFrame({name: pandas.Series(values, dtype=float) for name, values in found.items()}, index=steps)


def _columns(rows: Mapping[str, Mapping[int, Table]]) -> dict[str, tuple[str, Column]]:
    """Each probe's fields as variables, with their axis of steps; arrays with the same axes are placed at once."""
    columns: dict[str, tuple[str, Column]] = {}
    owner: dict[str, tuple[str, str]] = {}
    for probe, steps in rows.items():
        for step, row in steps.items():
            for field, array in row.items():
                name = f"{probe}_{field}"
                if owner.setdefault(name, (probe, field)) != (probe, field):
                    raise ValueError(
                        f"{probe}.{field} and {'.'.join(owner[name])} would both be named {name}; give the probes "
                        "other names, or read them one by one with Store(path).read(probe)."
                    )
                if not is_name(row, field):
                    arranged = axes(row, field)
                    own = "" if all(axis in _SHARED for axis, _ in arranged) else f"{probe}_"
                    column = columns.setdefault(name, (f"{own}step", {}))[1]
                    prefixed = tuple((f"{own}{axis}", entries) for axis, entries in arranged)
                    column.setdefault(prefixed, []).append((step, array))
    return columns


def _variable(
    name: str, steps: str, column: Column, coordinates: Coordinates
) -> tuple[Sequence[str], np.ndarray[Any, Any]]:
    """One field over all steps: every array goes to its place, and what is left over is NaN."""
    shapes = {tuple(axis for axis, _ in arranged) for arranged in column}
    if len(shapes) > 1:
        said = " and ".join(f"({', '.join(('step', *shape))})" for shape in sorted(shapes))
        raise ValueError(
            f"{name} has axes {said} at different steps; one variable has the same at all. "
            "Store(path).rows() has each row as it was written."
        )
    axis_names = (steps, *shapes.pop())
    stacks = {arranged: np.stack([array for _, array in found]) for arranged, found in column.items()}
    lengths = [len(coordinates[axis]) for axis in axis_names]
    dtype = np.result_type(*stacks.values())
    fill: Any = "" if dtype.kind == "U" else 0
    if sum(stack.size for stack in stacks.values()) < np.prod(lengths) and dtype.kind != "U":
        dtype, fill = dtype if dtype.kind == "f" else np.dtype(float), np.nan
    whole = np.full(lengths, fill, dtype)
    for arranged, stack in stacks.items():
        entries: list[Sequence[Any]] = [[step for step, _ in column[arranged]], *(entries for _, entries in arranged)]
        whole[np.ix_(*map(_positions, entries, (coordinates[axis] for axis in axis_names)))] = stack
    return axis_names, whole


def _positions(entries: Sequence[Any], among: Sequence[Any]) -> list[int]:
    where = {entry: position for position, entry in enumerate(among)}
    return [where[entry] for entry in entries]
