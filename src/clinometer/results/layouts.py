"""Layouts: the fields, shapes, names and steps of a run's rows, known without reading their numbers.

The rows of a probe hardly ever change in shape, so a run of thousands of steps has one or two layouts per probe.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.probes.field import NAMES, NOTHING, Declared, Field, Fields, declared_in
from clinometer.store import Store, Table

Numbers = np.ndarray[Any, Any]
Variants = Sequence[tuple[Numbers, Numbers]]  # of one field: an array of a stored type and shape, and its steps


@dataclass(frozen=True)
class Layout:
    """Rows of one probe with the same fields, types, shapes and names."""

    row: Table  # field to an array of the right type and shape; that of `layer` and `block` holds the names
    steps: Numbers  # (n,) rising
    fields: Fields = dataclasses.field(default_factory=dict[str, Field])  # what the probe declares of them


Layouts = Mapping[str, Sequence[Layout]]  # by probe


def layouts(store: Store) -> Layouts:
    """The layouts of all rows of a store, read from its schema; of the rows only the names of layers and blocks are.

    Example:
        >>> store = Store()
        >>> for step in (0, 10):
        ...     store.append(step, {"shift": {"layer": ["conv", "head"], "l2": [0.5, 0.25]}})
        >>> [layout] = layouts(store)["shift"]
        >>> layout.row["layer"].tolist(), layout.row["l2"].shape, layout.steps.tolist()
        (['conv', 'head'], (2,), [0, 10])
    """
    declared = declared_in(store.meta)
    found: dict[str, list[Layout]] = {}
    for probe, fields in store.outline().items():
        variants = {name: _named(store, probe, name) if name in NAMES else of for name, of in fields.items()}
        found[probe] = _joined(variants, declared.get(probe, {}))
    return found


def layouts_of(rows: Mapping[str, Mapping[int, Table]], declared: Declared = NOTHING) -> Layouts:
    """The same of rows that are in memory."""
    found: dict[str, list[Layout]] = {}
    for probe, steps in rows.items():
        alike: dict[Any, list[int]] = {}
        for step, row in steps.items():
            looks = tuple((name, a.dtype.str, a.shape, name in NAMES and a.tobytes()) for name, a in row.items())
            alike.setdefault(looks, []).append(step)
        found[probe] = [Layout(steps[at[0]], np.array(at), declared.get(probe, {})) for at in alike.values()]
    return found


def _named(store: Store, probe: str, name: str) -> Variants:
    """A field with what it holds, and the steps at which it holds just that."""
    alike: dict[Any, tuple[Numbers, list[int]]] = {}
    for step, row in store.rows(probe, name)[probe].items():
        array = row[name]
        alike.setdefault((array.dtype.str, array.shape, array.tobytes()), (array, []))[1].append(step)
    return [(array, np.array(steps)) for array, steps in alike.values()]


def _joined(fields: Mapping[str, Variants], declared: Fields) -> list[Layout]:
    """The layouts of a probe from those of its fields: rows whose fields are all alike."""
    steps = np.unique(np.concatenate([at for variants in fields.values() for _, at in variants]))
    which = np.full((len(steps), len(fields)), -1)  # the number of the variant that a row's field has, if it has any
    for column, variants in enumerate(fields.values()):
        for number, (_, at) in enumerate(variants):
            which[np.searchsorted(steps, at), column] = number
    found, of = np.unique(which, axis=0, return_inverse=True)
    rows = [
        {
            name: variants[number][0]
            for (name, variants), number in zip(fields.items(), numbers, strict=True)
            if number >= 0
        }
        for numbers in found
    ]
    together = [Layout(row, steps[of.reshape(-1) == number], declared) for number, row in enumerate(rows)]
    return sorted(together, key=lambda layout: layout.steps[0])
