"""The losses that a run recorded: where they became infinite or NaN, and where they broke."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from clinometer.probes.field import Declared
from clinometer.probes.labels import described_fields
from clinometer.probes.ranking import Tables, Values
from clinometer.recorder.verdict.breaks import broke_at

_LOOPS_OWN = ("train", "step_norms")  # rows with the loss that the loop itself minimised, at every step
_NORMS = ("total_update_norm", "total_weight_norm")


@dataclass(frozen=True)
class Losses:
    """The loss of training over the steps at which it is known."""

    probe: str
    steps: Values  # (n,)
    values: Values  # (n,) infinite or NaN where it was so

    @property
    def broke_at(self) -> int | None:
        """The step at which it broke, by the rule of `recorder.verdict.breaks`."""
        place = broke_at(self.values.tolist()) if len(self.values) else None
        return None if place is None else int(self.steps[place])


def losses_of(tables: Tables, declared: Declared) -> Losses | None:
    """The loss of training; the loop's own where it was recorded."""
    found = [Losses(probe, tables[probe]["step"], values) for probe, _, values in _all(tables, declared)]
    known = [each for each in found if each.probe != "test" and np.isfinite(each.values).any()]
    chosen = min(known, key=lambda each: (each.probe not in _LOOPS_OWN, -len(each.values)), default=None)
    if chosen is None:
        return None
    first = int(np.isfinite(chosen.values).argmax())  # before, it was unknown
    return Losses(chosen.probe, chosen.steps[first:], chosen.values[first:])


def not_finite(tables: Tables, declared: Declared) -> tuple[int, bool, str] | None:
    """The first step at which a loss or the weights were not finite, whether they stayed so, and what it was."""
    found = [
        (int(tables[probe]["step"][bad.argmax()]), bool(bad[-1]), name)
        for probe, name, values in [*_all(tables, declared), *_norms(tables)]
        if (bad := ~np.isfinite(values)).any()
    ]
    return min(found, key=lambda each: (not each[1], each[0]), default=None)


def _all(tables: Tables, declared: Declared) -> Iterator[tuple[str, str, Values]]:
    for probe, table in tables.items():
        for name, field in described_fields(table, declared.get(probe, {})).items():
            is_loss = (field.label or name) == "loss" and field.unit in ("loss", "") and field.drawing == "line"
            if is_loss and not field.axes and field.kind != "text":
                yield probe, "the loss", _without_unknown(table, table[name].astype(float))


def _without_unknown(table: Mapping[str, Values], loss: Values) -> Values:
    """`step_norms` has NaN where it does not know the loss: it is NaN itself only where the update is not finite."""
    update = table.get("total_update_norm")
    if update is None:
        return loss
    unknown = np.isnan(loss) & np.isfinite(update.astype(float))
    places = np.maximum.accumulate(np.where(unknown, 0, np.arange(len(loss))))  # the last one that is known
    return np.where(unknown & ~np.isnan(loss[places]), loss[places], np.where(unknown, 0.0, loss))


def _norms(tables: Tables) -> Iterator[tuple[str, str, Values]]:
    for name in _NORMS:
        if name in tables.get("step_norms", {}):
            yield "step_norms", "the update" if "update" in name else "the weights", tables["step_norms"][name]
