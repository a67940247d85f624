"""What a dashboard shows of a run: its numbers and its alarms, taken up row by row."""

from collections.abc import Mapping
from typing import Any

from clinometer.probes.field import NAMES, Declared
from clinometer.probes.ranking import Tables
from clinometer.probes.stacked import stacked
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import ROWS, alarms_of
from clinometer.store import Row, Store, Table, as_array

_NAMED = {(axis,) for axis in NAMES}  # the axes of what has a number for each layer or block


class Seen:
    """What was recorded so far, without what is large: numbers, and one for each layer or block.

    Args:
        declared: What the probes declare of their fields.
        layers: What each layer is, by its name, as far as that is known.
    """

    diverged_at = None  # nobody has written it down yet

    def __init__(self, declared: Declared, layers: Mapping[str, str]) -> None:
        self.declared, self.layers = declared, layers
        self.rows: dict[str, dict[int, Table]] = {}  # by probe and step
        self.alarms: list[Alarm] = []

    @classmethod
    def of(cls, store: Store, declared: Declared, layers: Mapping[str, str]) -> "Seen":
        """What a store has so far."""
        seen = cls(declared, layers)
        for probe, steps in store.rows().items():
            for step, row in steps.items():
                seen.add(step, {probe: row})
        return seen

    @property
    def tables(self) -> Tables:
        """The rows by probe, stacked along the steps."""
        return {probe: stacked(rows) for probe, rows in self.rows.items()}

    def add(self, step: int, rows: Mapping[str, Row]) -> None:
        """Take up the rows of a step."""
        for probe, row in rows.items():
            arrays = {name: as_array(probe, name, value) for name, value in row.items()}
            if probe == ROWS:
                self.alarms += alarms_of(step, arrays)
            else:
                kept = {name: array for name, array in arrays.items() if self._is_small(probe, name, array)}
                self.rows.setdefault(probe, {})[step] = kept

    def _is_small(self, probe: str, name: str, array: Any) -> bool:
        field = self.declared.get(probe, {}).get(name)
        return not array.ndim or name in NAMES or (field is not None and field.axes in _NAMED)
