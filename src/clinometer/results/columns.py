"""Each field of some runs as one array with named axes, and the place of every row's numbers in it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.probes.field import Declared, Field
from clinometer.probes.labels import NAMES, axes, is_name
from clinometer.results.layouts import Layout, Layouts, Numbers

_DENSE = 2**24  # values: an array of so many is made, whatever share of it was measured
_SHARED = (*NAMES, "size")  # axes that mean the same in every probe

Entries = Sequence[Any] | Numbers
Coordinates = Mapping[str, Entries]  # axis to its entries


@dataclass(frozen=True)
class Column:
    """One field of one probe over some runs, and the layouts of the rows that have it."""

    probe: str
    field: str
    axes: tuple[str, ...]  # the steps first
    layouts: dict[int, list[Layout]] = dataclasses.field(default_factory=dict[int, list[Layout]])  # by the run's number

    def entries(self, layout: Layout) -> tuple[Entries, ...]:
        """The entries of each axis in the rows of a layout, the steps first."""
        return (layout.steps, *(entries for _, entries in axes(layout.row, self.field, layout.fields)))

    def attributes(self, declared: Declared) -> dict[str, str]:
        """The meaning and unit that the probe declares, under the names that xarray's plots read."""
        field = declared.get(self.probe, {}).get(self.field, Field())
        known = {"long_name": field.meaning, "units": field.unit}
        return {name: text for name, text in known.items() if text}

    def lengths(self, coordinates: Coordinates) -> tuple[int, ...]:
        """The shape of the array that holds a run."""
        return tuple(len(coordinates[axis]) for axis in self.axes)

    def fill(self, coordinates: Coordinates, cells: int = 1) -> Numbers:
        """What stands where nothing was measured, in the type of the whole: integers become floats to hold NaN."""
        dtype = np.result_type(*(layout.row[self.field] for seen in self.layouts.values() for layout in seen))
        filled = sum(map(self._measured, self.layouts))
        if dtype.kind == "U":
            return np.array("", dtype)
        if dtype.kind != "f" and filled < cells * np.prod(self.lengths(coordinates), dtype=float):
            dtype = np.dtype(float)
        return np.array(np.nan if dtype.kind == "f" else 0, dtype)

    def placed(self, run: int, arrays: Mapping[int, Numbers], coordinates: Coordinates, fill: Numbers) -> Numbers:
        """One run's arrays, by step, each at its place; ValueError if hardly any of the whole was measured."""
        lengths, measured = self.lengths(coordinates), self._measured(run)
        if math.prod(lengths) > max(_DENSE, 1_000 * measured):
            raise ValueError(
                f"{self.probe}_{self.field} would be an array of {lengths}, for {measured:,} values that were "
                "measured: its shapes differ too much between steps. Store(path).rows() has each row as it was written."
            )
        whole = np.full(lengths, fill, fill.dtype)
        for layout in self.layouts.get(run, ()):
            stack = np.stack([arrays[int(step)] for step in layout.steps])
            places = zip(self.entries(layout), self.axes, strict=True)
            whole[np.ix_(*(_positions(entries, coordinates[axis]) for entries, axis in places))] = stack
        return whole

    def _measured(self, run: int) -> int:
        """How many numbers of a run there are."""
        return sum(layout.row[self.field].size * len(layout.steps) for layout in self.layouts.get(run, ()))


def columns(runs: Sequence[Layouts]) -> dict[str, Column]:
    """The fields of these runs by the names of their variables, `PROBE_FIELD`.

    Raises:
        ValueError: if two fields would have the same name, or a field has not the same axes throughout.
    """
    found: dict[str, Column] = {}
    for number, probes in enumerate(runs):
        for probe, seen in probes.items():
            for layout in seen:
                for name in (name for name in layout.row if not is_name(layout.row, name)):
                    arranged = axes(layout.row, name, layout.fields)
                    own = "" if all(axis in _SHARED for axis, _ in arranged) else f"{probe}_"
                    named = (f"{own}step", *(f"{own}{axis}" for axis, _ in arranged))
                    column = found.setdefault(f"{probe}_{name}", Column(probe, name, named))
                    _same(column, probe, name, named)
                    column.layouts.setdefault(number, []).append(layout)
    return found


def coordinates(found: Mapping[str, Column]) -> Coordinates:
    """The entries of each axis, over all columns: steps rising, names in the order in which they come."""
    seen: dict[str, dict[int, Entries]] = {"step": {}}  # by identity: the fields of a layout share its steps
    for column in found.values():
        for layout in (layout for layouts in column.layouts.values() for layout in layouts):
            for axis, entries in zip(column.axes, column.entries(layout), strict=True):
                seen.setdefault(axis, {})[id(entries)] = entries
    return {axis: _union(list(entries.values())) for axis, entries in seen.items()}


def labelled(entries: Coordinates) -> dict[str, Entries]:
    """Those axes whose entries say more than their position."""
    return {axis: of for axis, of in entries.items() if axis.endswith(("step", *NAMES))}


def _union(found: list[Entries]) -> Entries:
    if all(isinstance(entries, np.ndarray) for entries in found):
        return np.unique(np.concatenate([np.array([], dtype=np.int64), *found]))
    if all(isinstance(entries, range) for entries in found):
        return max(found, key=len)
    return list(dict.fromkeys(entry for entries in dict.fromkeys(map(tuple, found)) for entry in entries))


def _positions(entries: Entries, among: Entries) -> Numbers:
    if isinstance(entries, range):
        return np.arange(len(entries))
    if isinstance(among, np.ndarray):
        return np.searchsorted(among, entries)
    where = {entry: position for position, entry in enumerate(among)}
    return np.array([where[entry] for entry in entries], dtype=np.int64)


def _same(column: Column, probe: str, name: str, named: tuple[str, ...]) -> None:
    if (column.probe, column.field) != (probe, name):
        raise ValueError(
            f"{probe}.{name} and {column.probe}.{column.field} would both be named {probe}_{name}; give the probes "
            "other names, or read them one by one with Store(path).read(probe)."
        )
    if column.axes != named:
        said = " and ".join(f"({', '.join(('step', *each))})" for each in sorted([column.axes[1:], named[1:]]))
        raise ValueError(
            f"{probe}_{name} has axes {said} at different steps or in different runs; one variable has the same in "
            "all. Store(path).rows() has each row as it was written."
        )
