"""One run's rows as a labelled data set or frame, held in memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.probes.field import Declared, declared_in
from clinometer.probes.labels import series
from clinometer.results.columns import columns, coordinates, labelled
from clinometer.results.layouts import layouts_of
from clinometer.store import Table

Rows = Mapping[str, Mapping[int, Table]]


def store_file(path: str | Path) -> Path:
    """The store that `path` means: itself, or the `rows.sqlite` in this folder.

    Example:
        >>> store_file("runs/mine/rows.sqlite").name
        'rows.sqlite'
    """
    path = Path(path)
    return path / "rows.sqlite" if path.is_dir() else path


def dataset(xarray: Any, rows: Rows, facts: Mapping[str, Any]) -> Any:
    """Rows as an `xarray.Dataset`; `clinometer.load` describes it."""
    declared = declared_in(facts)
    found = columns([layouts_of(rows, declared)])
    entries = coordinates(found)
    variables: dict[str, Any] = {}
    for name, column in found.items():
        arrays = {step: row[column.field] for step, row in rows[column.probe].items() if column.field in row}
        placed = column.placed(0, arrays, entries, column.fill(entries))
        variables[name] = (column.axes, placed, column.attributes(declared))
    others = {name: fact for name, fact in facts.items() if name not in ("fields", "run")}
    return xarray.Dataset(variables, coords=labelled(entries), attrs=others)


def frame(pandas: Any, rows: Rows, declared: Declared) -> Any:
    """Rows as a `pandas.DataFrame`; `clinometer.load` describes it."""
    found = series(rows, declared)
    steps = pandas.Index(sorted(set().union(*found.values())), name="step", dtype=int)
    return pandas.DataFrame({name: pandas.Series(values, dtype=float) for name, values in found.items()}, index=steps)
