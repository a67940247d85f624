"""Writes rows to a store's file; while that is impossible, they wait in memory, and are written later, in order.

A full disk, another program's lock and a deleted folder pass, and the training whose rows these are goes on.
"""

import errno
import json
import sqlite3
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.store import checked
from clinometer.store.cells import checksum
from clinometer.store.database import Database
from clinometer.store.write_ahead_log import file_identity

Rows = dict[str, dict[int, dict[str, np.ndarray[Any, Any]]]]  # by probe, step and field

_MOST = 2**28  # bytes that may wait
_PATIENCE, _BRIEF = 5.0, 0.1  # seconds to wait for another program's lock, and while rows wait already


@dataclass(frozen=True, eq=False)
class Entry:
    """What is written at one time."""

    step: int
    arrays: Mapping[tuple[str, str], np.ndarray[Any, Any]]  # by probe and field
    replaced: tuple[str, ...] = ()  # probes whose rows of this step are deleted before

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(array.nbytes for array in self.arrays.values())


class Writer:
    """The file of a store, and the rows that it has not got yet.

    A file that was deleted, or whose folder was, is still open: all of its rows are taken into memory, and written anew
    once the folder is there again. A file of another run in its place is left alone.

    Args:
        path, read_only: As for `Database`.
        patient: Keep in memory what cannot be written; otherwise the error is raised.
    """

    def __init__(self, path: Path | None, read_only: bool, *, patient: bool) -> None:
        self.db = Database(path, read_only)  # one in memory, without rows, while the file is gone
        self.waiting: list[Entry] = []
        self._path, self._patient = path, patient
        self._file = file_identity(path) if path and patient else None
        self._taken: list[Entry] = []  # the rows of a file that is gone, which wait as well
        self._digest = ""  # of those rows
        self._said: set[int | None] = set()

    def append(self, entry: Entry) -> None:
        """Write it, and before it all that waits; or let it wait."""
        if not self._patient or self._path is None:
            insert(self.db, entry)
            return
        size = sum(each.size for each in [*self.waiting, entry])
        if size > _MOST and self.flushed():
            raise OSError(
                errno.ENOSPC, f"{self._path} cannot be written, and more than {_MOST >> 20} MiB wait in memory"
            )
        self.waiting.append(replace(entry, arrays={name: array.copy() for name, array in entry.arrays.items()}))
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as possible; a first failure of each kind is warned of."""
        try:
            self._find_file()
            self.db.patience = _BRIEF if self._said else _PATIENCE
            while self.waiting:
                try:
                    insert(self.db, self.waiting[0])
                except ValueError:  # it is there already, and would be the next time
                    del self.waiting[0]
                    raise
                del self.waiting[0]
        except OSError as error:
            if isinstance(error, TimeoutError) and not isinstance(error.__cause__, sqlite3.Error):
                raise  # the caller's alarm
            if error.errno not in self._said:
                self._said.add(error.errno)
                warnings.warn(
                    f"clinometer: rows cannot be written ({error}). They wait in memory, {_MOST >> 20} MiB at most, "
                    "and are written once that is possible, at the latest when the store is closed.",
                    stacklevel=2,
                )

    def flushed(self) -> list[Entry]:
        """What still waits after another attempt to write it."""
        if self.waiting:
            self.flush()
        return self.waiting

    def drop_from(self, step: int) -> None:
        """Forget what waits of a step and later ones."""
        self.waiting = [each for each in self.waiting if each.step < step]
        self._digest = ""  # a file that comes back would still have them

    def close(self) -> None:
        """Write what waits, or warn that it is lost, and close the file; that is left to the process that opened it."""
        if not self.db.is_inherited() and self.flushed():
            steps = sorted({each.step for each in self.waiting})
            warnings.warn(
                f"clinometer: the rows of {len(steps)} steps ({steps[0]} to {steps[-1]}) are lost: {self._path} could "
                "not be written to the end.",
                stacklevel=2,
            )
        self.db.close()

    def _find_file(self) -> None:
        """See that the file is where it was; OSError if it is not and cannot be written anew."""
        if self._path is None or (self._file and file_identity(self._path) == self._file):
            return
        if self._file:
            self._take_rows()
        if not self._path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"the folder {self._path.parent} was deleted or moved")
        try:
            found = Database(self._path, read_only=False)
        except ValueError as error:  # none of ours
            raise FileExistsError(errno.EEXIST, str(error)) from error
        with found.moment() as db:
            is_empty, digest = checked.last_step(db) is None, checked.digest(db)
        if not is_empty and digest != self._digest:
            found.close()
            raise FileExistsError(errno.EEXIST, f"{self._path} now holds the rows of another run")
        if is_empty:
            with self.db.moment() as ours, found.moment(writes=True) as db:
                checked.set_facts(db, checked.facts(ours))
        else:  # our own file, which had been moved away
            self.waiting = [each for each in self.waiting if each not in self._taken]
        self.db.close()
        self.db, self._file, self._taken = found, file_identity(self._path), []

    def _take_rows(self) -> None:
        """Take all rows of the open file into memory, and let go of it."""
        rows: dict[int, dict[tuple[str, str], Any]] = {}
        with self.db.moment() as db:
            for step, probe, name, array in checked.values(db, None, checked.FIRST, self.db.size, None):
                rows.setdefault(step, {})[probe, name] = array
            self._digest, facts = checked.digest(db), checked.facts(db)
        self._taken = [Entry(step, arrays) for step, arrays in rows.items()]
        self.waiting[:0] = self._taken
        self.db.close()
        self.db, self._file = Database(None, read_only=False), None
        with self.db.moment(writes=True) as db:
            checked.set_facts(db, facts)


def insert(database: Database, entry: Entry) -> None:
    """Write arrays in one transaction; ValueError if the step has one of them already."""
    step, ids = entry.step, dict(database.ids)

    def id_of(table: str, *told: str) -> int:
        key = (table, *told)
        if key not in ids:
            ids[key] = checked.name_id(db, *key)
        return ids[key]

    with database.moment(writes=True) as db:
        try:
            for probe in entry.replaced:
                _delete(db, step, probe)
            for (probe, name), array in entry.arrays.items():
                kind, data = (array.dtype.str, json.dumps(array.shape)), array.tobytes()
                field, of_kind = id_of("fields", probe, name), id_of("kinds", *kind)
                told = checksum(step, probe, name, *kind, data=data)
                db.execute("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", (step, field, of_kind, told, data))
            if entry.arrays:
                query = "INSERT INTO steps VALUES (?, ?) ON CONFLICT DO UPDATE SET fields = fields + excluded.fields"
                db.execute(query, (step, len(entry.arrays)))
        except sqlite3.IntegrityError as error:
            raise ValueError(
                f"step {step} is in {database.where} already; steps are written once. "
                "Number them apart, or call drop_from(step) to write it anew."
            ) from error
    database.ids = ids  # now that they are written


def merged(found: Rows, waiting: list[Entry], probe: str | None, field: str | None, start: int) -> Rows:
    """Rows of a probe and a field, or of all, with those that wait, in the order of the steps."""
    for entry in waiting:
        for owner in entry.replaced:
            found.get(owner, {}).pop(entry.step, None)
        for (owner, name), array in entry.arrays.items():
            if probe in (None, owner) and field in (None, name) and entry.step >= start:
                found.setdefault(owner, {}).setdefault(entry.step, {})[name] = array.copy()
    return {owner: dict(sorted(steps.items())) for owner, steps in found.items() if steps}


def _delete(db: sqlite3.Connection, step: int, probe: str) -> None:
    """Delete what one probe has at a step."""
    query = "DELETE FROM rows WHERE step = ? AND field IN (SELECT id FROM fields WHERE probe = ?)"
    deleted = db.execute(query, (step, probe)).rowcount
    db.execute("UPDATE steps SET fields = fields - ? WHERE step = ?", (deleted, step))
    db.execute("DELETE FROM steps WHERE step = ? AND fields = 0", (step,))
