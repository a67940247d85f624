"""What a run recorded as numbers over its steps, and what two runs are compared by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clinometer.probes.field import Declared, Field, Worst
from clinometer.probes.labels import described, shown
from clinometer.probes.ranking import Tables, edge_label, share_of
from clinometer.readable.results import readable
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.results.run_tables import tables_in
from clinometer.results.sides import Sides
from clinometer.store import Store

Values = np.ndarray[Any, Any]
Scale = Literal["difference", "factor"]

# What everybody means by these names, where a probe declares nothing: the dangerous extreme.
_NAMED: Mapping[str, Worst] = {"loss": "highest", "error": "highest", "perplexity": "highest", "accuracy": "lowest"}


@readable
@dataclass(frozen=True)
class RecordedRun:
    """One run as it is compared: all that its store holds."""

    folder: Path
    tables: Tables = field(repr=False)
    declared: Declared = field(repr=False)
    alarms: tuple[Alarm, ...] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)


@readable
@dataclass(frozen=True)
class Curve:
    """A number at each step at which it was measured."""

    name: str  # PROBE.FIELD
    label: str
    unit: str
    worst: Worst
    limit: float | None  # 1 where the values are shares of a step that is as long as it may be
    steps: Values = field(repr=False)  # (n,) rising
    values: Values = field(repr=False)  # (n,)
    is_loss: bool  # the loss that training minimised
    by_name: bool  # whether only its name says which direction is worse: losses, accuracies
    is_headline: bool

    def at(self, steps: Values) -> Values:
        """The values at some of its steps."""
        return self.values[np.searchsorted(self.steps, steps)]


def read_sides(sides: Sides) -> dict[str, list[RecordedRun]]:
    """The runs, each read at one moment."""
    return {name: [_read(store) for store in stores] for name, stores in sides.items()}


def curves_of(run: RecordedRun) -> dict[str, Curve]:
    """The single numbers of a run, without those that only stand in for another; where a limit is declared, as shares.

    Where no number is larger than the other, such as headroom, is a share the reciprocal: 1 is the edge, more is
    beyond it, and a step that goes uphill at any length is infinitely far beyond.
    """
    return {curve.name: curve for probe, table in run.tables.items() for curve in _of_probe(run, probe, table)}


def compared_by_default(runs: Sequence[Mapping[str, Curve]]) -> list[str]:
    """The headline numbers that all runs have, and of which it is known which direction is worse; losses first.

    Of several losses that are the same numbers, since each probe keeps the training loss, the one with the most steps.
    """
    shared = [name for name in runs[0] if all(name in run for run in runs)]
    chosen = [name for name in shared if all(run[name].is_headline and run[name].worst for run in runs)]
    chosen.sort(key=lambda name: (not runs[0][name].is_loss, -min(len(run[name].steps) for run in runs)))
    kept: list[str] = []
    for name in chosen:
        if not any(all(_same_loss(run[name], run[other]) for run in runs) for other in kept):
            kept.append(name)
    return sorted(kept, key=lambda name: (not runs[0][name].is_loss, runs[0][name].limit is None))


def _read(path: Path) -> RecordedRun:
    store = Store(path, read_only=True)
    try:
        tables, declared, alarms = tables_in(store)
        return RecordedRun(path.parent, tables, declared, tuple(alarms), store.meta)
    finally:
        store.close()


def _of_probe(run: RecordedRun, probe: str, table: Mapping[str, Values]) -> Iterator[Curve]:
    row = {name: values[0] for name, values in table.items() if name != "step" and len(values)}
    fields = described(row, run.declared.get(probe, {}))
    numbers = {name: each for name, each in fields.items() if each.kind != "text" and not each.axes}
    known = {name for name in numbers if not np.isnan(np.asarray(table[name], dtype=float)).all()}
    for name in shown(numbers, known.__contains__):
        if name in known:
            yield _curve(probe, name, numbers[name], table)


def _curve(probe: str, name: str, declared: Field, table: Mapping[str, Values]) -> Curve:
    values = np.asarray(table[name], dtype=float)
    if declared.limit and declared.worst:
        label, shares = edge_label(probe, name, table, declared), share_of(declared, values)
        return Curve(
            f"{probe}.{name}", label, "", "highest", 1.0, table["step"], shares, False, False, declared.headline
        )
    # A name that a probe gave a label of its own means something else: "noise of the loss" is no loss.
    by_name = name in _NAMED and not declared.worst and declared.label in ("", name)
    trained = probe == "train" or (declared.label == "loss" and not probe.endswith("_batches"))
    return Curve(
        name=f"{probe}.{name}",
        label=declared.label or name,
        unit=declared.unit,
        worst=_NAMED[name] if by_name else declared.worst,
        limit=None,
        steps=table["step"],
        values=values,
        is_loss=by_name and name == "loss" and trained,
        by_name=by_name,
        is_headline=declared.headline,
    )


def _same_loss(one: Curve, other: Curve) -> bool:
    if not (one.is_loss and other.is_loss):
        return False
    common = np.intersect1d(one.steps, other.steps)
    return len(common) > 0 and np.array_equal(one.at(common), other.at(common), equal_nan=True)
