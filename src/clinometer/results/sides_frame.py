"""Several runs, by the names that their user gave, as one labelled data set or frame, held in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.probes.field import Declared, declared_in
from clinometer.results import run_frame
from clinometer.results.columns import Column, Coordinates, columns, coordinates, labelled
from clinometer.results.layouts import Numbers, layouts_of
from clinometer.results.sides import Sides
from clinometer.store import Store


def dataset(xarray: Any, sides: Sides) -> Any:
    """Named runs as an `xarray.Dataset` with an axis `run`, and `seed` where one has several; `load` describes it."""
    stored = {name: [_read(store) for store in stores] for name, stores in sides.items()}
    seeds = max(map(len, sides.values()))
    places = [(side, seed) for side, runs in enumerate(stored.values()) for seed in range(len(runs))]
    read = [run for runs in stored.values() for run in runs]
    shape, outer = ((len(sides), seeds), ("run", "seed")) if seeds > 1 else ((len(sides),), ("run",))
    declared: Declared = {probe: fields for _, facts in read for probe, fields in declared_in(facts).items()}
    found = columns([layouts_of(rows, declared_in(facts)) for rows, facts in read])
    entries = coordinates(found)
    variables: dict[str, Any] = {}
    for name, column in found.items():
        fill = column.fill(entries, int(np.prod(shape)))
        whole = np.full((*shape, *column.lengths(entries)), fill, fill.dtype)
        for number, (place, (rows, _)) in enumerate(zip(places, read, strict=True)):
            whole[place[: len(shape)]] = _placed(column, number, rows, entries, fill)
        variables[name] = ((*outer, *column.axes), whole, column.attributes(declared))
    facts = {name: [_about(facts) for _, facts in runs] for name, runs in stored.items()}
    return xarray.Dataset(
        variables,
        coords={"run": list(sides)} | ({"seed": np.arange(seeds)} if seeds > 1 else {}) | labelled(entries),
        attrs=facts if seeds > 1 else {name: of for name, (of,) in facts.items()},
    )


def frame(pandas: Any, sides: Sides) -> Any:
    """Named runs as a tidy `pandas.DataFrame`: a row per run and step."""
    several = any(len(stores) > 1 for stores in sides.values())
    parts = list(_frames(pandas, sides, several))
    return pandas.concat(parts, ignore_index=True)


def _frames(pandas: Any, sides: Sides, several: bool) -> Iterator[Any]:
    for name, stores in sides.items():
        for seed, store in enumerate(stores):
            rows, facts = _read(store)
            part = run_frame.frame(pandas, rows, declared_in(facts)).reset_index()
            known = {"run": name} | ({"seed": seed} if several else {})
            yield pandas.concat([pandas.DataFrame(known, index=part.index), part], axis=1)


def _read(path: Path) -> tuple[run_frame.Rows, dict[str, Any]]:
    store = Store(path, read_only=True)
    try:
        return store.rows(), store.meta
    finally:
        store.close()


def _placed(column: Column, number: int, rows: run_frame.Rows, entries: Coordinates, fill: Numbers) -> Numbers:
    there = rows.get(column.probe, {})
    arrays = {step: row[column.field] for step, row in there.items() if column.field in row}
    return column.placed(number, arrays, entries, fill)


def _about(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name != "fields"}
