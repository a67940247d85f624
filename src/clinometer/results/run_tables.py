"""What one run recorded, stacked along the steps: its tables by probe, their declarations, and its alarms."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinometer.probes.field import Declared, declared_in
from clinometer.probes.ranking import Tables
from clinometer.probes.stacked import stacked
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import ROWS, alarms_in
from clinometer.recorder.facts.stored import RunFacts, run_facts
from clinometer.results.finished_run import check_run
from clinometer.results.run_frame import store_file
from clinometer.store import Store


@dataclass(frozen=True)
class RunRecord:
    """All that can be read of one run; what cannot is named."""

    tables: Tables
    declared: Declared
    alarms: list[Alarm]
    facts: RunFacts
    diverged_at: int | None  # the step, where whoever trained wrote it down
    missing: tuple[str, ...]  # what could not be read, in sentences

    @property
    def layers(self) -> Mapping[str, str]:
        """What each layer is, by its name."""
        return self.facts.layers


def tables_of(path: Path) -> tuple[Tables, Declared, list[Alarm]]:
    """What a run's folder or its `rows.sqlite` holds: rows by probe, the declarations of their fields, and the alarms.

    Raises:
        ValueError: if there is no such file.
    """
    file = store_file(path)
    check_run(file.parent)
    with contextlib.closing(Store(file, read_only=True)) as store:
        return tables_in(store)


def tables_in(store: Store) -> tuple[Tables, Declared, list[Alarm]]:
    """The same of a store, which stays open."""
    tables = {probe: stacked(store.rows(probe)[probe]) for probe in store.probes() if probe != ROWS}
    return tables, declared_in(store.meta), alarms_in(store)


def read_run(path: Path) -> RunRecord:
    """What a run's folder or file holds, as far as it is sound.

    Raises:
        ValueError: if there is no such file, or it is none of ours; or if it is damaged so that nothing can be read.
    """
    file, missing = store_file(path), list[str]()
    try:
        check_run(file.parent)
    except ValueError as error:
        missing.append(str(error))
    with contextlib.closing(Store(file, read_only=True)) as store:
        return run_in(store, missing)


def run_in(store: Store, missing: Sequence[str] = ()) -> RunRecord:
    """The same of a store, which stays open.

    Args:
        store: Its rows are read as they are now.
        missing: What could not be read before.
    """
    missing = list(missing)
    facts: dict[str, Any] = _sound(lambda: store.meta, {}, missing)
    tables: dict[str, Any] = {}
    for probe in store.probes():
        if probe != ROWS and (rows := _sound(lambda probe=probe: store.rows(probe)[probe], {}, missing)):
            tables[probe] = stacked(rows)
    alarms = _sound(lambda: alarms_in(store), [], missing)
    diverged = facts.get("diverged_at")
    at = diverged if isinstance(diverged, int) else None
    return RunRecord(tables, declared_in(facts), alarms, run_facts(facts), at, tuple(dict.fromkeys(missing)))


def _sound(read: Any, otherwise: Any, missing: list[str]) -> Any:
    """What is read; where it is damaged, `otherwise`, and a sentence."""
    try:
        return read()
    except ValueError as error:
        missing.append(str(error))
        return otherwise
