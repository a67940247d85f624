"""What a study, or a run, found, as tables for other tools: one of its runs, and one per probe."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from clinometer.results.factors import config_of, fields, finished, is_study, reading
from clinometer.results.folders import whole_folder
from clinometer.results.layouts import Layout, Layouts, layouts
from clinometer.results.run_frame import store_file
from clinometer.results.tables import Kinds, Known, csv_rows, csv_runs, parquet_rows, parquet_runs
from clinometer.store import Store
from clinometer.training.files import read_json
from clinometer.training.run_folder import run_folders

_PACKAGES = ("clinometer", "torch", "numpy")
_PLACES = ("python", "device", "processor", "commit")


@dataclass(frozen=True)
class _Source:
    """A run, and what is known of it."""

    folder: Path
    store: Path
    config: dict[str, Any]
    status: str | None  # "done", "diverged" or "unfinished"; None of a recorder's run, which does not say
    diverged_at: int | None
    layouts: Layouts  # empty if its rows are not to be exported


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
    done = [
        _Source(
            run.folder,
            run.folder / "rows.sqlite",
            run.config,
            "done" if run.diverged_at is None else "diverged",
            run.diverged_at,
            run.layouts,
        )
        for run in finished(path)
    ]
    others = [folder for folder in run_folders(path) if folder not in {source.folder for source in done}]
    return done + [_Source(f, f / "rows.sqlite", _config(f), "unfinished", None, {}) for f in others]


def _of_run(path: Path) -> _Source:
    """A recorder's run, or one of a study's."""
    file = store_file(path)
    store = Store(file, read_only=True)
    facts, seen = store.meta, layouts(store)
    store.close()
    ended = "done" if "ended" in facts else None
    status = "diverged" if "diverged_at" in facts else ended
    folder = file.absolute().parent
    return _Source(folder, file, _config(folder), status, facts.get("diverged_at"), seen)


def _config(folder: Path) -> dict[str, Any]:
    """The config, if there is one and it is whole: a run killed at its start may have none."""
    try:
        return config_of(folder)
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return {}


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
    environments = [_environment(source.folder) for source in sources]
    return {
        "status": [source.status for source in sources],
        "diverged_at": [source.diverged_at for source in sources],
        **{f"environment_{name}": [of[name] for of in environments] for name in (*_PACKAGES, *_PLACES)},
    }


def _rowwise(columns: Mapping[str, Sequence[Any]]) -> tuple[Sequence[Known], Kinds]:
    """The rows of a table, and the types of its columns; of a column without a value, text."""
    kinds = {name: next((type(v) for v in values if v is not None), str) for name, values in columns.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return rows, kinds | {"diverged_at": int}


def _environment(folder: Path) -> dict[str, str | None]:
    """The main versions, as far as they are known."""
    try:
        said = read_json(folder / "environment.json")
        found = {name: said.get(name) for name in _PLACES} | {n: said.get("packages", {}).get(n) for n in _PACKAGES}
    except (OSError, ValueError, AttributeError):
        found = dict.fromkeys((*_PLACES, *_PACKAGES))
    return {name: None if value is None else str(value) for name, value in found.items()}


def _rows(source: _Source) -> dict[str, Any]:
    """The rows of a run, by probe and step: those that were there when their layouts were read."""
    if not source.layouts:
        return {}
    with reading(source.folder):
        store = Store(source.store, read_only=True)
        rows = store.rows()
        store.close()
    steps = {probe: {int(step) for layout in seen for step in layout.steps} for probe, seen in source.layouts.items()}
    return {p: {step: row for step, row in of.items() if step in steps[p]} for p, of in rows.items() if p in steps}


def _file_name(probe: str) -> str:
    """A probe's name as that of a file in this folder, whatever it contains."""
    name = quote(probe, safe=" ")
    return f"probe_{name}" if name == "runs" or name.startswith(".") else name
