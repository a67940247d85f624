"""Rows on disk: one SQLite file per run, written as they happen.

A row is what one probe saw at one step: named arrays. All rows of a step go in as one transaction, so a kill
loses at most the step in flight. Standard library and NumPy only; nothing read back is unpickled.
"""

import json
import operator
import sqlite3
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

Array = Any  # a tensor, a NumPy array, a number, or a sequence of numbers or strings
Row = Mapping[str, Array]
Table = dict[str, np.ndarray[Any, Any]]  # "step" (n,) and, for each field, (n, *its shape)

_APPLICATION_ID = 0x434C494E  # "CLIN": tells our files from other people's
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE fields (id INTEGER PRIMARY KEY, probe TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (probe, name));
CREATE TABLE kinds (id INTEGER PRIMARY KEY, dtype TEXT NOT NULL, shape TEXT NOT NULL, UNIQUE (dtype, shape));
CREATE TABLE rows (
    step INTEGER NOT NULL, field INTEGER NOT NULL REFERENCES fields, kind INTEGER NOT NULL REFERENCES kinds,
    data BLOB NOT NULL, PRIMARY KEY (step, field)) WITHOUT ROWID;
"""


class Store:
    """The rows of one run.

    Args:
        path: The SQLite file, made with its folders if it is not there; None keeps the rows in memory.
        read_only: Open an existing file, and never change it.

    Raises:
        ValueError: if the file is something else than a clinometer store, or is to be read and is not there.

    Example:
        >>> store = Store()
        >>> store.append(0, {"train": {"loss": 2.3}})
        >>> store.append(1, {"train": {"loss": 2.1}})
        >>> store.read("train")
        {'step': array([0, 1]), 'loss': array([2.3, 2.1])}
    """

    def __init__(self, path: str | Path | None = None, *, read_only: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self._db = _connect(self.path, read_only)
        self.close = weakref.finalize(self, self._db.close)

    def append(self, step: int, rows: Mapping[str, Row]) -> None:
        """Write what each probe saw at `step`, all of it or nothing.

        Args:
            step: The training step.
            rows: Probe name to its named values.

        Raises:
            ValueError: if one of these values is there already for this step, or is not made of numbers or text.
        """
        step = operator.index(step)
        arrays = {(probe, name): as_array(probe, name, v) for probe, row in rows.items() for name, v in row.items()}
        try:
            with self._db:
                for (probe, name), array in arrays.items():
                    field = self._id("fields", "probe", "name", probe, name)
                    kind = self._id("kinds", "dtype", "shape", array.dtype.str, json.dumps(array.shape))
                    self._db.execute("INSERT INTO rows VALUES (?, ?, ?, ?)", (step, field, kind, array.tobytes()))
        except sqlite3.IntegrityError as error:
            raise ValueError(
                f"step {step} is in {self.path or 'memory'} already; steps are written once. "
                "Number them apart, or call drop_from(step) to write it anew."
            ) from error

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

    def rows(self, probe: str | None = None, *, start: int = -(2**63)) -> dict[str, dict[int, Table]]:
        """Each row as it was written: probe name to step to field name to array, in the order of the steps.

        One query, and so one moment: where another process writes, all of a step is in it or nothing.

        Args:
            probe: Of this probe only; of all by default.
            start: From this step on; SQLite's least integer, and so all, by default.

        Example:
            >>> store = Store()
            >>> store.append(7, {"train": {"loss": 2.5}})
            >>> store.rows()
            {'train': {7: {'loss': array(2.5)}}}
        """
        query = (
            "SELECT probe, step, name, dtype, shape, data FROM rows JOIN fields ON field = fields.id "
            "JOIN kinds ON kind = kinds.id WHERE step >= ? AND coalesce(probe = ?, 1) ORDER BY step, fields.id"
        )
        found: dict[str, dict[int, Table]] = {}
        for name, step, field, *stored in self._db.execute(query, (start, probe)):
            found.setdefault(name, {}).setdefault(step, {})[field] = _decode(field, *stored)
        return found

    def probes(self) -> list[str]:
        """The names of the probes that have rows."""
        query = "SELECT DISTINCT probe FROM fields WHERE id IN (SELECT field FROM rows) ORDER BY probe"
        return [probe for (probe,) in self._db.execute(query)]

    def last_step(self) -> int | None:
        """The last step that has a row, or None."""
        return self._db.execute("SELECT max(step) FROM rows").fetchone()[0]

    def drop_from(self, step: int) -> None:
        """Delete the rows of `step` and later: what a resumed run is about to do again."""
        with self._db:
            self._db.execute("DELETE FROM rows WHERE step >= ?", (step,))

    def seal(self) -> None:
        """Fold everything into the one file, so that it can be read in a folder where nothing can be written."""
        self._db.execute("PRAGMA journal_mode = DELETE")

    @property
    def meta(self) -> dict[str, Any]:
        """Facts about the run as a whole, from JSON."""
        return {key: json.loads(value) for key, value in self._db.execute("SELECT * FROM meta")}

    def set_meta(self, **facts: Any) -> None:
        """Add or replace facts about the run as a whole; values must fit in JSON."""
        with self._db:
            items = [(key, json.dumps(value)) for key, value in facts.items()]
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", items)

    def _id(self, table: str, first: str, second: str, *values: str) -> int:
        """The id of a row of `fields` or `kinds`, made where it is missing."""
        known = self._db.execute(f"SELECT id FROM {table} WHERE {first} = ? AND {second} = ?", values).fetchone()
        if known:
            return known[0]
        added = self._db.execute(f"INSERT INTO {table} ({first}, {second}) VALUES (?, ?)", values)
        return int(added.lastrowid or 0)


def _connect(path: Path | None, read_only: bool) -> sqlite3.Connection:
    if path is None:
        db = sqlite3.connect(":memory:")
    elif read_only:
        if not path.is_file():
            raise ValueError(f"no store at {path}; expected the rows.sqlite that a Recorder or a run wrote.")
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path)
    try:
        _claim(db, path, read_only)
    except BaseException:
        db.close()
        raise
    return db


def _claim(db: sqlite3.Connection, path: Path | None, read_only: bool) -> None:
    try:
        empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        ours = db.execute("PRAGMA application_id").fetchone()[0] == _APPLICATION_ID and not empty
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise  # locked, or a failing disk: nobody may conclude that the file is worthless
        empty = ours = False
    if not ours and (read_only or not empty):
        raise ValueError(f"{path} is not a clinometer store; choose another path. It was left as it is.")
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    if not read_only and empty:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id = {_APPLICATION_ID}; COMMIT;")


def as_array(probe: str, name: str, value: Array) -> np.ndarray[Any, Any]:
    """What a probe returned under `name`, as the store keeps it.

    Raises:
        ValueError: if it is not made of numbers or text.

    Example:
        >>> as_array("train", "loss", torch.tensor(2.5))
        array(2.5, dtype=float32)
    """
    if name == "step":
        raise ValueError(f"{probe} has a field named 'step', which is the index of its rows; name it otherwise.")
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
    array = np.asarray(value)
    if array.dtype.kind not in "biufU":
        raise ValueError(
            f"{probe}.{name} must hold numbers or text; found {type(value).__name__} of {array.dtype}. "
            "A probe returns tensors, arrays, numbers or sequences of them."
        )
    return array


def _decode(name: str, dtype: str, shape: str, data: bytes) -> np.ndarray[Any, Any]:
    kind, sides = np.dtype(dtype), tuple(json.loads(shape))
    if kind.kind not in "biufU" or len(data) != kind.itemsize * int(np.prod(sides)):
        raise ValueError(f"the stored {name!r} does not match its declared {dtype} {shape}: the file is damaged.")
    return np.frombuffer(data, kind).reshape(sides)
