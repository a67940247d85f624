"""Rows on disk: one SQLite file per run, written as they happen.

A row is what one probe saw at one step: named arrays. All rows of a step go in as one transaction, so a kill
loses at most the step in flight. Every value carries a checksum, and is read only if it is whole. Standard library and
NumPy only; nothing read back is unpickled.
"""

import operator
import sqlite3
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.readable.text import plain
from clinometer.store import checked
from clinometer.store.cells import Array, as_array
from clinometer.store.database import Database
from clinometer.store.errors import UnsoundError
from clinometer.store.writer import Entry, Writer, merged

Row = Mapping[str, Array]
Table = dict[str, np.ndarray[Any, Any]]  # "step" (n,) and, for each field, (n, *its shape)


class Store:
    """The rows of one run.

    A file that is there is opened for reading, and for writing when something is written.

    Args:
        path: The SQLite file, made with its folders if it is not there; None keeps the rows in memory.
        read_only: Open an existing file, and never change it.
        patient: Keep rows in memory, and warn, while the file cannot be written (the disk is full, another program has
            locked it, its folder is gone); they are written at the next `append`, reading or `close` that can.

    Raises:
        ValueError: if the file is something else than a clinometer store, or is to be read and is not there.
        DamagedError: if it is damaged, as any method says that comes upon it. Damage is never read as a number.
        TimeoutError: if another process keeps it locked, here and elsewhere; other OSErrors are the disk's.
        RuntimeError: if a method is called in another thread or process than the one that opened it.

    Example:
        >>> store = Store()
        >>> store.append(0, {"train": {"loss": 2.3}})
        >>> store.append(1, {"train": {"loss": 2.1}})
        >>> store.read("train")
        {'step': array([0, 1]), 'loss': array([2.3, 2.1])}
    """

    def __init__(self, path: str | Path | None = None, *, read_only: bool = False, patient: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self._writer = Writer(self.path, read_only, patient=patient)
        self.close = weakref.finalize(self, self._writer.close)

    def __repr__(self) -> str:
        where = "in memory" if self.path is None else repr(plain(str(self.path)))  # whole: its end tells runs apart
        try:
            steps = self.step_count()
        except (OSError, ValueError, RuntimeError, sqlite3.Error):  # damaged, locked, closed, or of another thread
            return f"Store({where})"
        return f"Store({where}, {steps} step{'' if steps == 1 else 's'})"

    def append(self, step: int, rows: Mapping[str, Row], *, replace: bool = False) -> None:
        """Write what each probe saw at `step`, all of it or nothing.

        Args:
            step: The training step.
            rows: Probe name to its named values.
            replace: Write it in place of what these probes have at this step.

        Raises:
            ValueError: if one of these values is there already for this step, or is not made of numbers or text.
        """
        step = operator.index(step)
        arrays = {(probe, name): as_array(probe, name, v) for probe, row in rows.items() for name, v in row.items()}
        self._writer.append(Entry(step, arrays, tuple(rows) if replace else ()))

    def read(self, probe: str) -> Table:
        """All rows of one probe, stacked along the step.

        Raises:
            ValueError: if there is no such probe, or a field's shape differs between steps.
        """
        rows = self.rows(probe).get(probe)
        if not rows:
            raise ValueError(f"no rows of {probe!r}; there are {', '.join(self.probes()) or 'none yet'}.")
        names = list(dict.fromkeys(name for row in rows.values() for name in row))
        for name in names:
            if len({row[name].shape if name in row else None for row in rows.values()}) > 1:
                raise ValueError(
                    f"{probe}.{name} differs in shape between steps, or is missing at some: cannot stack it. "
                    "rows() has each row as it was written, and clinometer.load pads them."
                )
        return {"step": np.array(list(rows))} | {name: np.stack([row[name] for row in rows.values()]) for name in names}

    def rows(
        self, probe: str | None = None, field: str | None = None, *, start: int = checked.FIRST
    ) -> dict[str, dict[int, Table]]:
        """Each row as it was written: probe name to step to field name to array, in the order of the steps.

        One query, and so one moment: where another process writes, all of a step is in it or nothing.

        Args:
            probe: Of this probe only; of all by default.
            field: With this field of it only; with all by default.
            start: From this step on; SQLite's least integer, and so all, by default.

        Example:
            >>> store = Store()
            >>> store.append(7, {"train": {"loss": 2.5}})
            >>> store.rows()
            {'train': {7: {'loss': array(2.5)}}}
        """
        found: dict[str, dict[int, Table]] = {}
        waiting = self._writer.flushed()
        with self._db.moment() as db:
            for step, owner, name, array in checked.values(db, probe, start, self._db.size, field):
                found.setdefault(owner, {}).setdefault(step, {})[name] = array
        return merged(found, waiting, probe, field, start) if waiting else found

    def outline(self) -> checked.Outline:
        """What the rows look like, without reading a number: what a data set must know before it is asked for any.

        Returns:
            Probe name to field name to pairs: an array of the stored type and shape, all zeros, that takes no memory;
            and the steps whose rows have it so, rising.

        Example:
            >>> store = Store()
            >>> for step in (0, 100):
            ...     store.append(step, {"walk": {"losses": [2.5, 1.5, 0.5]}})
            >>> [(like, steps)] = store.outline()["walk"]["losses"]
            >>> like.dtype, like.shape, steps
            (dtype('float64'), (3,), array([  0, 100]))
        """
        with self._db.moment() as db:
            return checked.outline(db)

    def probes(self) -> list[str]:
        """The names of the probes that have rows."""
        waiting = {probe for entry in self._writer.flushed() for probe, _ in entry.arrays}
        with self._db.moment() as db:
            return sorted(checked.probes(db) | waiting)

    def step_count(self) -> int:
        """How many steps have rows."""
        waiting = {entry.step for entry in self._writer.flushed() if entry.arrays}
        with self._db.moment() as db:
            return len(waiting | checked.steps(db))

    def last_step(self) -> int | None:
        """The last step that has a row, or None."""
        waiting = [entry.step for entry in self._writer.flushed() if entry.arrays]
        with self._db.moment() as db:
            written = checked.last_step(db)
        return max([*waiting, *([] if written is None else [written])], default=None)

    def drop_from(self, step: int) -> None:
        """Delete the rows of `step` and later: what a resumed run is about to do again."""
        self._writer.drop_from(step)
        with self._db.moment(writes=True) as db:
            db.execute("DELETE FROM rows WHERE step >= ?", (step,))
            db.execute("DELETE FROM steps WHERE step >= ?", (step,))

    def digest(self, before: int) -> str:
        """What tells the rows of all steps before one from any others; nothing of what was written later matters.

        Their number, the sum of their checksums and that of the products of the checksums' halves: the order in which
        rows were written does not matter, their steps, names, types and values do. It is made of the checksums as they
        are stored, without reading the data; `verify` says whether those are true. Against damage, not against intent.

        Example:
            >>> store = Store()
            >>> store.append(0, {"train": {"loss": 2.5}})
            >>> before = store.digest(1)
            >>> store.append(1, {"train": {"loss": 2.0}})
            >>> store.digest(1) == before, store.digest(2) == before
            (True, False)
        """
        with self._db.moment() as db:
            return checked.digest(db, before)

    def verify(self) -> None:
        """Read everything, SQLite's own bookkeeping included: DamagedError if anything at all is wrong.

        Worth its while before a run is gone on with, or for a file from elsewhere. Cost: the file is read twice.
        """
        with self._db.moment() as db:
            if (found := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise UnsoundError(found.splitlines()[-1])
            for _ in checked.values(db, None, checked.FIRST, self._db.size):
                pass
            checked.facts(db)

    def flush(self) -> None:
        """Make all that was appended survive a power cut. A kill alone never costs more than the step in flight."""
        with self._db.moment(writes=True, durable=True) as db:
            db.execute("UPDATE meta SET facts = facts")  # SQLite syncs a file where there is something to write
        self._db.settle("wal_checkpoint(TRUNCATE)", 0)

    def seal(self) -> None:
        """Fold everything into the one file, so that it can be read in a folder where nothing can be written."""
        self._db.settle("journal_mode = DELETE", "delete" if self.path else "memory")

    @property
    def _db(self) -> Database:
        return self._writer.db

    @property
    def meta(self) -> dict[str, Any]:
        """Facts about the run as a whole, from JSON."""
        with self._db.moment() as db:
            return checked.facts(db)

    def set_meta(self, **facts: Any) -> None:
        """Add or replace facts about the run as a whole; values must fit in JSON."""
        with self._db.moment(writes=True) as db:
            checked.set_facts(db, checked.facts(db) | facts)
