"""What one run recorded, stacked along the steps: its tables by probe, their declarations, and its alarms."""

import contextlib
from pathlib import Path

from clinometer.probes.field import Declared, declared_in
from clinometer.probes.ranking import Tables
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import ROWS, alarms_in
from clinometer.results.finished_run import check_run
from clinometer.store import Store


def tables_of(folder: Path) -> tuple[Tables, Declared, list[Alarm]]:
    """What `folder/rows.sqlite` holds: the rows by probe, the declarations of their fields, and the alarms.

    Raises:
        ValueError: if there is no such file.
    """
    check_run(folder)
    with contextlib.closing(Store(folder / "rows.sqlite", read_only=True)) as store:
        return tables_in(store)


def tables_in(store: Store) -> tuple[Tables, Declared, list[Alarm]]:
    """The same of a store, which stays open."""
    tables = {probe: store.read(probe) for probe in store.probes() if probe != ROWS}
    return tables, declared_in(store.meta), alarms_in(store)
