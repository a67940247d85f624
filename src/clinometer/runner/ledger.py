"""The study's table, `study.sqlite`: which runs it has, what became of each, and how often it was tried.

It is what a person, or `clinometer status`, looks at. The runs' folders are the truth, and the table is made again from
them if it is lost or damaged.
"""

import contextlib
import errno
import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from clinometer.store import DamagedError
from clinometer.store.database import is_damage, not_damage

State = Literal["waiting", "running", "done", "failed"]

_SCHEMA = (
    "CREATE TABLE runs (key TEXT PRIMARY KEY, config TEXT NOT NULL, state TEXT NOT NULL, worker TEXT NOT NULL, "
    "starts INTEGER NOT NULL, failures INTEGER NOT NULL, error TEXT NOT NULL, sum INTEGER NOT NULL) WITHOUT ROWID"
)


@dataclass(frozen=True)
class Entry:
    """What the table says of a run."""

    key: str
    config: str  # JSON
    state: State = "waiting"
    worker: str = ""  # the process that makes it, or made it last: host:pid
    starts: int = 0  # how often a process began with it, or went on
    failures: int = 0  # how often one of them ended without a result
    error: str = ""  # the traceback of the last failure


class Ledger:
    """The table of a study. Any number of processes may have it open.

    Args:
        study: The study's folder.
        say: Told in a sentence if the table is damaged and made anew.

    Example:
        >>> import tempfile
        >>> ledger = Ledger(Path(tempfile.mkdtemp()))
        >>> ledger.enter({"00ff00ff00ff00ff": {"lr": 0.1}}, done=[])
        >>> ledger.began(["00ff00ff00ff00ff"], worker="here:1")
        >>> ledger.failed(["00ff00ff00ff00ff"], "ValueError: no such data")
        1
        >>> [(entry.state, entry.starts, entry.failures) for entry in ledger.entries()]
        [('failed', 1, 1)]
        >>> ledger.close()
    """

    def __init__(self, study: Path, say: Callable[[str], None] = print) -> None:
        self.path = study / "study.sqlite"
        try:
            self._db = _connect(self.path)
            try:
                self.entries()
            except BaseException:
                self._db.close()
                raise
        except DamagedError as error:
            kept = self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
            say(f"{error} It is kept as {kept.name}, and made anew from the runs' folders.")
            self._db = _connect(self.path)

    def enter(self, configs: Mapping[str, Mapping[str, Any]], done: Iterable[str]) -> None:
        """Enter runs that are not there yet; what has failed waits again, with a clean slate.

        Args:
            configs: Key to config.
            done: The keys of those whose folders are whole.
        """
        finished = set(done)
        with self._changing():
            held = {entry.key: entry for entry in _entries(self._db, self.path)}
            for key, config in configs.items():
                entry = held.get(key, Entry(key, json.dumps(config, sort_keys=True)))
                if key in finished:
                    entry = replace(entry, state="done")
                elif entry.state in ("failed", "done"):  # done once, and damaged since
                    entry = replace(entry, state="waiting", failures=0)
                self._write(entry)

    def began(self, keys: Iterable[str], worker: str) -> None:
        """A process has taken these up."""
        self._each(keys, lambda entry: replace(entry, state="running", worker=worker, starts=entry.starts + 1))

    def ended(self, keys: Iterable[str], state: State) -> None:
        """These are done, or are to be taken up again."""
        self._each(keys, lambda entry: replace(entry, state=state))

    def failed(self, keys: Iterable[str], error: str) -> int:
        """A process ended without their results; how often that has happened now, to the one that it befell most."""
        changed = self._each(
            keys, lambda entry: replace(entry, state="failed", failures=entry.failures + 1, error=error)
        )
        return max(entry.failures for entry in changed)

    def entries(self) -> list[Entry]:
        """All runs, by key; DamagedError if one is not what was written."""
        with explained(self.path):
            return _entries(self._db, self.path)

    def close(self) -> None:
        """Fold everything into the one file, so that it can be read in a folder where nothing can be written."""
        with contextlib.suppress(sqlite3.OperationalError):  # another process has it open, and will
            self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()

    def _each(self, keys: Iterable[str], change: Callable[[Entry], Entry]) -> list[Entry]:
        with self._changing():
            query = "SELECT * FROM runs WHERE key = ?"
            changed = [change(_read(self.path, self._db.execute(query, (key,)).fetchone())) for key in keys]
            for entry in changed:
                self._write(entry)
        return changed

    @contextlib.contextmanager
    def _changing(self) -> Generator[None]:
        """One transaction, alone from its first look on."""
        with explained(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:
                yield

    def _write(self, entry: Entry) -> None:
        values = astuple(entry)
        self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, _sum(values)))


def look(study: Path) -> list[Entry]:
    """What the table of a study says, by key, without changing anything, also where nothing can be written.

    Raises:
        DamagedError: if it is damaged.
        OSError: if it is not there, or cannot be read.
    """
    path = study / "study.sqlite"
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}.")
    with explained(path), contextlib.closing(_open(path, "mode=ro")) as db:
        _check(db, path)
        return _entries(db, path)


@contextlib.contextmanager
def explained(path: Path) -> Generator[None]:
    """SQLite's errors as ours: DamagedError, TimeoutError, OSError."""
    try:
        yield
    except sqlite3.Error as error:
        unwritable = not_damage(error, str(path))
        # A file that says of itself that it is not to be written, where it can be: its header is damaged.
        pretends = unwritable.errno == errno.EACCES and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        if is_damage(error) or pretends:
            raise DamagedError(f"{path} is damaged: {error}.") from error
        raise unwritable from error


def _connect(path: Path) -> sqlite3.Connection:
    with explained(path), contextlib.ExitStack() as on_error:
        db = _open(path, "mode=rwc")
        on_error.callback(db.close)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(_SCHEMA.replace("TABLE", "TABLE IF NOT EXISTS", 1))
        _check(db, path)
        on_error.pop_all()
        return db


def _open(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", timeout=60.0, isolation_level=None, uri=True)


def _check(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("SELECT sql FROM sqlite_master").fetchall() != [(_SCHEMA,)]:
        raise DamagedError(f"{path} is damaged: its table is not that of a study.")
    if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        raise DamagedError(f"{path} is damaged: {found}.")


def _entries(db: sqlite3.Connection, path: Path) -> list[Entry]:
    return [_read(path, row) for row in db.execute("SELECT * FROM runs ORDER BY key")]


def _read(path: Path, row: tuple[Any, ...]) -> Entry:
    *values, total = row
    if _sum(values) != total:
        raise DamagedError(f"{path} is damaged: what it says of the run {values[0]!r} is not what was written.")
    return Entry(*values)


def _sum(values: Sequence[Any]) -> int:
    return zlib.crc32(json.dumps(list(values)).encode())
