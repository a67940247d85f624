"""Exports a study, or a run, as tables for other tools: one table of runs, and one of rows per probe."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from clinometer.results.factors import fields, order
from clinometer.results.finished_run import (
    FinishedRun,
    Rows,
    check_run,
    find_runs,
    is_study,
    read_config,
    reading,
    versions_of,
)
from clinometer.results.folders import whole_folder
from clinometer.results.layouts import Layout, Layouts, layouts
from clinometer.results.run_frame import store_file
from clinometer.results.tables import Kinds, Known, csv_rows, csv_runs, parquet_rows, parquet_runs
from clinometer.store import Store
from clinometer.training.files import read_json

_ENVIRONMENT = ("clinometer", "torch", "numpy", "python", "device", "processor", "commit")


@dataclass(frozen=True)
class _Source:
    """A run of which something is exported."""

    folder: Path
    config: dict[str, Any]
    status: str | None  # "done", "diverged" or "unfinished"; None of a recorder's run, which does not say
    diverged_at: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    layouts: Layouts = field(default_factory=dict[str, Sequence[Layout]])  # empty if its rows are not exported
    rows: Callable[[], Rows] = dict  # reads them


def export(path: Path, to: Path, kind: Literal["parquet", "csv"] = "parquet") -> dict[str, int]:
    """Write the tables of a study, or of a run, into a new folder: all of them, or nothing.

    `runs`: one row per run with `run`, its config's fields, `status`, `diverged_at` and `environment_*`. `PROBE`: one
    row per step of each finished run with `run`, the config's fields, `step`, and the fields of the probe: numbers,
    text or nested lists of such. As CSV a row holds each number that `load(path, to="pandas")` has as a column. A
    config's field that is called as another column is `config_NAME`. One run is in memory at a time.

    Args:
        path: A study's folder; or a recorder's, or its `rows.sqlite`. It is only read.
        to: The folder to make.
        kind: Of the files.

    Returns:
        The files' names, and how many rows each holds.

    Raises:
        ValueError: if `path` holds neither, `to` holds something, a run is damaged, or a field has not as many axes in
            all rows.
        ImportError: if pyarrow is not installed, for Parquet: `pip install 'clinometer[export]'`.
    """
    sources = _of_study(path) if is_study(path) else [_of_run(path)]
    which = _which(sources)
    known, kinds = _rowwise(which | _how(sources))
    told = {name: kinds[name] for name in which}
    probes: dict[str, list[Layout]] = {}
    for source in sources:
        for probe, seen in source.layouts.items():
            probes.setdefault(probe, []).extend(seen)
    rows, runs = (parquet_rows, parquet_runs) if kind == "parquet" else (csv_rows, csv_runs)
    files = {probe: f"{_file_name(probe)}.{kind}" for probe in probes}
    written = {f"runs.{kind}": len(sources)} | dict.fromkeys(files.values(), 0)
    with whole_folder(to) as folder:
        runs(folder / f"runs.{kind}", kinds, known)
        with contextlib.ExitStack() as stack:
            write = {p: stack.enter_context(rows(folder / files[p], p, told, seen)) for p, seen in probes.items()}
            for source, of in zip(sources, known, strict=True):
                for probe, found in _rows(source).items():
                    write[probe](of, found)
                    written[files[probe]] += len(found)
    return written


def _of_study(path: Path) -> list[_Source]:
    """Finished runs, then those that are not, of which only the config is known."""
    found = find_runs(path)
    runs = found.intact()
    done = [_of_finished(runs[position]) for position in order([run.config for run in runs])]
    return done + [
        _Source(folder, _known(folder, read_config), "unfinished", versions=_versions(folder))
        for folder in found.unfinished
    ]


def _of_finished(run: FinishedRun) -> _Source:
    status = "done" if run.diverged_at is None else "diverged"
    return _Source(run.folder, run.config, status, run.diverged_at, run.versions, run.layouts, run.rows)


def _of_run(path: Path) -> _Source:
    """A recorder's run, or one of a study's."""
    file = store_file(path)
    folder = file.absolute().parent
    check_run(folder)
    with contextlib.closing(Store(file, read_only=True)) as store:
        facts, seen = store.meta, layouts(store)
    ended = "done" if "ended" in facts else None
    status = "diverged" if "diverged_at" in facts else ended

    def rows() -> Rows:
        with reading(folder), contextlib.closing(Store(file, read_only=True)) as store:
            return store.rows()

    return _Source(folder, _known(folder, read_config), status, facts.get("diverged_at"), _versions(folder), seen, rows)


def _known(folder: Path, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What a file says, if there is one and it is whole: a run killed at its start may have none."""
    try:
        return read(folder)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {}


def _versions(folder: Path) -> dict[str, str]:
    return versions_of(_known(folder / "environment.json", read_json))


def _which(sources: Sequence[_Source]) -> dict[str, Sequence[Any]]:
    """What tells a run from others, by column: its folder's name, and its config."""
    of_probes = {name for s in sources for seen in s.layouts.values() for layout in seen for name in layout.row}
    taken = {"run", "step", "status", "diverged_at", *of_probes}
    columns: dict[str, Sequence[Any]] = {"run": [source.folder.name for source in sources]}
    for name, values in fields([source.config for source in sources]).items():
        columns[f"config_{name}" if name in taken or name.startswith("environment_") else name] = values
    return columns


def _how(sources: Sequence[_Source]) -> dict[str, Sequence[Any]]:
    """How it was made and how it ended, by column."""
    return {
        "status": [source.status for source in sources],
        "diverged_at": [source.diverged_at for source in sources],
        **{f"environment_{name}": [source.versions.get(name) for source in sources] for name in _ENVIRONMENT},
    }


def _rowwise(columns: Mapping[str, Sequence[Any]]) -> tuple[Sequence[Known], Kinds]:
    """The rows of a table, and the types of its columns; of a column without a value, text."""
    kinds = {name: next((type(v) for v in values if v is not None), str) for name, values in columns.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return rows, kinds | {"diverged_at": int}


def _rows(source: _Source) -> dict[str, Any]:
    """The rows of a run, by probe and step: those that were there when their layouts were read."""
    if not source.layouts:
        return {}
    rows = source.rows()
    steps = {probe: {int(step) for layout in seen for step in layout.steps} for probe, seen in source.layouts.items()}
    return {p: {step: row for step, row in of.items() if step in steps[p]} for p, of in rows.items() if p in steps}


def _file_name(probe: str) -> str:
    """A probe's name as that of a file in this folder, whatever it contains."""
    name = quote(probe, safe=" ")
    return f"probe_{name}" if name == "runs" or name.startswith(".") else name
