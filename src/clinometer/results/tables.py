"""Writes tables as Parquet or CSV, run by run: each run is a row group, and only one is in memory."""

import contextlib
import csv
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.extras import need
from clinometer.probes.labels import scalars
from clinometer.results.layouts import Layout, Numbers
from clinometer.store import Table

Known = Mapping[str, Any]  # what is known of a run: column to value, None where it is not
Write = Callable[[Known, Mapping[int, Table]], None]  # the rows of one run, by step
Kinds = Mapping[str, type]  # of what is known: bool, int, float or str


@contextlib.contextmanager
def parquet_rows(path: Path, probe: str, kinds: Kinds, layouts: Sequence[Layout]) -> Generator[Write]:
    """A Parquet file of the rows of one probe: what is known of the run, the step, and each field.

    A field is a number or text, or nested lists of such; null where a row lacks it. NaN and infinity are what they are.

    Args:
        path: The file.
        probe: For messages.
        kinds: The columns that say which run it is, and their types.
        layouts: All that the rows will look like.

    Raises:
        ValueError: if a field has not as many axes in all rows.
    """
    pa, pq = need("pyarrow", "export"), need("pyarrow.parquet", "export")
    fields = _fields(probe, layouts)
    types = {name: _of_kind(pa, kind) for name, kind in kinds.items()} | {"step": pa.int64()}
    schema = pa.schema({**types, **{name: _of_array(pa, like) for name, like in fields.items()}})
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:

        def write(known: Known, rows: Mapping[int, Table]) -> None:
            columns = {name: pa.repeat(pa.scalar(known[name], types[name]), len(rows)) for name in kinds}
            columns["step"] = pa.array(list(rows), pa.int64())
            for name, like in fields.items():
                columns[name] = _nested(pa, [row.get(name) for row in rows.values()], like)
            writer.write_table(pa.table(columns, schema=schema), row_group_size=len(rows))

        yield write


@contextlib.contextmanager
def csv_rows(path: Path, probe: str, kinds: Kinds, layouts: Sequence[Layout]) -> Generator[Write]:
    """The same as CSV: each number that `labels.scalars` names is a column, under that name; none per unit, no text."""
    declared = {probe: {name: field for layout in layouts for name, field in layout.fields.items()}}
    names = list(dict.fromkeys(name for layout in layouts for name in scalars({probe: layout.row}, declared)))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*kinds, "step", *names])

        def write(known: Known, rows: Mapping[int, Table]) -> None:
            for step, row in rows.items():
                flat = scalars({probe: row}, declared)
                writer.writerow([*(known[name] for name in kinds), step, *(flat.get(name) for name in names)])

        yield write


def parquet_runs(path: Path, kinds: Kinds, runs: Sequence[Known]) -> None:
    """A Parquet file with a row per run: all that is known of it."""
    pa, pq = need("pyarrow", "export"), need("pyarrow.parquet", "export")
    columns = {name: pa.array([run[name] for run in runs], _of_kind(pa, kind)) for name, kind in kinds.items()}
    pq.write_table(pa.table(columns), path, compression="zstd", write_page_checksum=True)


def csv_runs(path: Path, kinds: Kinds, runs: Sequence[Known]) -> None:
    """The same as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([list(kinds), *([run[name] for name in kinds] for run in runs)])


def _fields(probe: str, layouts: Sequence[Layout]) -> dict[str, Numbers]:
    """Each field with an empty array of its type and number of axes."""
    seen: dict[str, list[Numbers]] = {}
    for layout in layouts:
        for name, like in layout.row.items():
            seen.setdefault(name, []).append(like)
    for name, likes in seen.items():
        if len({like.ndim for like in likes}) > 1:
            shapes = " and ".join(str(list(shape)) for shape in sorted({like.shape for like in likes}))
            raise ValueError(
                f"{probe}.{name} has shapes {shapes}; a column holds as many axes in all rows. "
                "Store(path).rows() has each row as it was written."
            )
    return {name: np.empty((0,) * likes[0].ndim, np.result_type(*likes)) for name, likes in seen.items()}


def _of_kind(pa: Any, kind: type) -> Any:
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}[kind]


def _of_array(pa: Any, like: Numbers) -> Any:
    found = pa.string() if like.dtype.kind == "U" else pa.from_numpy_dtype(_plain(like.dtype))
    for _ in range(like.ndim):
        found = pa.list_(found)
    return found


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type as Arrow knows it: of this machine's byte order, and no wider than 64 bits."""
    return np.dtype(float) if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("=")


def _nested(pa: Any, arrays: Sequence[Numbers | None], like: Numbers) -> Any:
    """Arrays with as many axes as `like` as one Arrow array of nested lists, built from the innermost out."""
    there = [array for array in arrays if array is not None]
    numbers = np.concatenate([array.reshape(-1) for array in there] or [like.reshape(-1)])
    text = like.dtype.kind == "U"
    values = pa.array(numbers.tolist(), pa.string()) if text else pa.array(numbers.astype(_plain(like.dtype)))
    for axis in reversed(range(like.ndim)):
        lengths = [np.full(np.prod(array.shape[:axis], dtype=int), array.shape[axis]) for array in there]
        ends = np.cumsum(np.concatenate([[0], *lengths]))
        values = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), values)
    if len(there) == len(arrays):
        return values
    present = iter(range(len(there)))
    return values.take(pa.array([None if array is None else next(present) for array in arrays], pa.int64()))
