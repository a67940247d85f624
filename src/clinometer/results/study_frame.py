"""A study's finished runs as one labelled data set, whose numbers are read when they are used, or as a data frame."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clinometer.extras import need
from clinometer.probes.field import declared_in
from clinometer.results import factors, run_frame
from clinometer.results.columns import Column, Coordinates, columns, coordinates, labelled
from clinometer.results.finished_run import FinishedRun, find_runs
from clinometer.results.layouts import Numbers
from clinometer.training.study_file import read_study

_SPARSE = 4  # combinations of factors per run, above which runs get an axis of their own


@dataclass(frozen=True)
class RunGrid:
    """The axes along which runs lie, before the axes of a run's own arrays, and the place of each run."""

    axes: dict[str, Numbers]  # axis to its labels
    places: dict[tuple[int, ...], int]  # position along these axes to the number of the run
    known: dict[str, Numbers]  # what else is known of each run, in the order of the runs

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many labels each axis has."""
        return tuple(len(labels) for labels in self.axes.values())


@dataclass(frozen=True)
class LazyVariable:
    """One field over all runs. Its numbers stay on disk until they are read."""

    runs: tuple[FinishedRun, ...]
    grid: RunGrid
    column: Column
    coordinates: Coordinates
    fill: Numbers

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole, which is never held."""
        return (*self.grid.lengths, *self.column.lengths(self.coordinates))

    def read(self, key: tuple[int | slice | Numbers, ...]) -> Numbers:
        """The numbers at `key`: for each axis a position, a slice, or positions. Only runs that it picks are read."""
        picked = [np.arange(length)[along] for length, along in zip(self.shape, key, strict=True)]
        flat = [np.atleast_1d(positions) for positions in picked]
        outer, inner = flat[: len(self.grid.axes)], flat[len(self.grid.axes) :]
        found = np.full([len(positions) for positions in flat], self.fill, self.fill.dtype)
        for at in np.ndindex(*(len(positions) for positions in outer)):
            number = self.grid.places.get(tuple(int(p[i]) for p, i in zip(outer, at, strict=True)))
            if number in self.column.layouts:
                found[at] = self._run(number)[np.ix_(*inner)]
        return found.reshape([len(positions) for positions in picked if positions.ndim])

    def _run(self, number: int) -> Numbers:
        rows = self.runs[number].rows(self.column.probe, self.column.field)[self.column.probe]
        arrays = {step: row[self.column.field] for step, row in rows.items()}
        return self.column.placed(number, arrays, self.coordinates, self.fill)


def dataset(xarray: Any, path: Path, by: Literal["factors", "runs"] | None) -> Any:
    """A study as an `xarray.Dataset`; `clinometer.load` says how."""
    there = find_runs(path)
    runs = _ordered(there.intact())
    found = columns([run.layouts for run in runs])
    entries = coordinates(found)
    taken = {"run", "diverged_at", *entries, *found}
    values = {f"config_{n}" if n in taken else n: v for n, v in factors.fields([run.config for run in runs]).items()}
    grid = _grid(runs, values, by)
    cells = math.prod(grid.lengths)
    declared = {probe: fields for run in runs for probe, fields in declared_in(run.facts).items()}
    variables = {
        name: (
            (*grid.axes, *column.axes),
            lazy(LazyVariable(runs, grid, column, entries, column.fill(entries, cells))),
            column.attributes(declared),
        )
        for name, column in found.items()
    }
    known = {name: (tuple(grid.axes), _spread(grid, of)) for name, of in grid.known.items()}
    constant = {name: of[0] for name, of in values.items() if len(set(map(repr, of))) == 1}
    return xarray.Dataset(
        variables,
        coords={**grid.axes, **labelled(entries), **known},
        attrs=constant | _facts(path, len(runs), len(there.unfinished)),
    )


def frame(pandas: Any, path: Path) -> Any:
    """A study as a tidy `pandas.DataFrame`; `clinometer.load` says how."""
    runs = _ordered(find_runs(path).intact())
    values = {n: v for n, v in factors.fields([run.config for run in runs]).items() if len(set(map(repr, v))) > 1}
    parts: list[Any] = []
    for number, each in enumerate(runs):
        part = run_frame.frame(pandas, each.rows(), declared_in(each.facts)).reset_index()
        known = {"run": each.folder.name} | {name: of[number] for name, of in values.items()}
        parts.append(pandas.concat([pandas.DataFrame(known, index=part.index), part], axis=1))
    return pandas.concat(parts, ignore_index=True) if parts else pandas.DataFrame()


def lazy(variable: LazyVariable) -> Any:
    """The variable as xarray's own file formats give theirs: read when used, then kept, and copied when written to."""
    indexing = need("xarray.core.indexing", "export")
    return indexing.MemoryCachedArray(indexing.CopyOnWriteArray(indexing.LazilyIndexedArray(on_disk(variable))))


def on_disk(variable: LazyVariable) -> Any:
    """The variable as an array that xarray indexes."""
    xarray = need("xarray", "export")
    indexing = xarray.core.indexing

    class OnDisk(xarray.backends.BackendArray):
        shape = variable.shape
        dtype = variable.fill.dtype

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, variable.read)

        def __reduce__(self) -> Any:  # pickled for another process, which finds the files where they are
            return on_disk, (variable,)

    return OnDisk()


def _ordered(runs: Sequence[FinishedRun]) -> tuple[FinishedRun, ...]:
    return tuple(runs[position] for position in factors.order([run.config for run in runs]))


def _grid(
    runs: Sequence[FinishedRun], values: Mapping[str, list[Any]], by: Literal["factors", "runs"] | None
) -> RunGrid:
    keys = np.array([run.folder.name for run in runs])
    diverged = np.array([np.nan if run.diverged_at is None else run.diverged_at for run in runs], dtype=float)
    varying = {name: factors.array(of) for name, of in values.items() if len(set(map(repr, of))) > 1}
    sorted_out = {name: np.unique(of, return_inverse=True) for name, of in varying.items()}
    cells = math.prod(len(labels) for labels, _ in sorted_out.values())
    positions = np.array([of for _, of in sorted_out.values()], dtype=int).T.reshape(len(runs), len(varying))
    places = {tuple(map(int, position)): number for number, position in enumerate(positions)}
    apart = len(places) == len(runs)
    if by == "factors" and not apart:
        raise ValueError(f"{len(runs)} runs have {len(places)} configs; pass by='runs' to have each at its own place.")
    if by == "factors" or (by is None and apart and cells <= _SPARSE * len(runs)):
        axes = {name: labels for name, (labels, _) in sorted_out.items()}
        return RunGrid(axes, places, {"run": keys, "diverged_at": diverged})
    each = {(number,): number for number in range(len(runs))}
    return RunGrid({"run": keys}, each, {**varying, "diverged_at": diverged})


def _spread(grid: RunGrid, known: Numbers) -> Numbers:
    """What is known of each run, at the places of the runs."""
    empty: Any = {"U": "", "f": np.nan}.get(known.dtype.kind, 0)  # others are known of all runs, along one axis
    whole = np.full(grid.lengths, empty, known.dtype)
    for place, number in grid.places.items():
        whole[place] = known[number]
    return whole


def _facts(path: Path, runs: int, unfinished: int) -> dict[str, Any]:
    """The study's name and scale, if known, and how complete it is."""
    try:
        facts = read_study(path)
    except (OSError, ValueError):
        facts = {}
    named = {name: facts[name] for name in ("study", "scale") if isinstance(facts.get(name), str)}
    return {**named, "runs": runs, "unfinished": unfinished}
