"""What one run recorded, stacked along the steps: its tables by probe, their declarations, and its alarms."""

import contextlib
from pathlib import Path

from clinometer.probes.field import Declared, declared_in
from clinometer.probes.ranking import Tables
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.alarm_rows import ROWS, alarms_in
from clinometer.results.finished_run import check_run
from clinometer.results.run_frame import store_file
from clinometer.store import Store


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
    tables = {probe: store.read(probe) for probe in store.probes() if probe != ROWS}
    return tables, declared_in(store.meta), alarms_in(store)
