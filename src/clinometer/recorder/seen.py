"""What a dashboard shows of a run: its headline numbers, those with a limit, and its alarms, taken up row by row."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clinometer.probes.field import NAMES, Declared
from clinometer.probes.labels import scalars
from clinometer.probes.ranking import Ranking, ranked
from clinometer.recorder.alerts.alarm_rows import ROWS
from clinometer.store import Row, Store

Series = dict[str, dict[int, float]]  # name to step to number


class Seen:
    """The numbers of a run that a dashboard has seen.

    Args:
        declared: What the probes declare of their fields.
    """

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self.series: Series = {}
        self.alarms: list[str] = []  # in words
        self.steps: dict[int, None] = {}  # in the order of measuring

    @classmethod
    def of(cls, store: Store, declared: Declared) -> "Seen":
        """What a store has so far."""
        seen = cls(declared)
        for probe, steps in store.rows().items():
            for step, row in steps.items():
                seen.add(step, {probe: row})
        seen.steps = dict.fromkeys(sorted(seen.steps))
        return seen

    def add(self, step: int, rows: Mapping[str, Row]) -> None:
        """Take up the rows of a step."""
        self.steps[step] = None
        for probe, row in rows.items():
            if probe == ROWS:
                self.alarms += map(str, row["message"])
                continue
            kept = {name: value for name, value in row.items() if self._is_shown(probe, name, value)}
            for name, value in scalars({probe: kept}, self.declared).items():
                self.series.setdefault(name, {})[step] = value

    def rankings(self) -> Mapping[str, Ranking]:
        """The layers or blocks of each probe that declares a limit for a number of each, ranked."""
        tables = {probe: self._table(probe) for probe in self.declared}
        return ranked({probe: table for probe, table in tables.items() if table}, self.declared)

    def _is_shown(self, probe: str, name: str, value: Any) -> bool:
        if probe not in self.declared:
            return not getattr(value, "ndim", np.ndim(value))
        field = self.declared[probe].get(name)
        return name in NAMES or (field is not None and (field.headline or field.limit is not None))

    def _table(self, probe: str) -> dict[str, Any]:
        """The fields with a limit for each layer or block, stacked along the steps as `Store.read` does."""
        table: dict[str, Any] = {}
        for name, field in self.declared[probe].items():
            prefix = f"{probe}/{name}/"
            found = {key.removeprefix(prefix): of for key, of in self.series.items() if key.startswith(prefix)}
            if field.limit is None or len(field.axes) != 1 or field.axes[0] not in NAMES or not found:
                continue
            steps = _steps(list(found.values()))
            table["step"], table[field.axes[0]] = np.array(steps), [list(found)]
            table[name] = np.array([[of.get(step, np.nan) for of in found.values()] for step in steps])
        return table


def _steps(courses: Sequence[Mapping[int, float]]) -> list[int]:
    return sorted(set().union(*courses))
