"""The SQLite file under a store: what it must be, how it is opened, and what SQLite's errors mean.

A file from elsewhere is data, and stays so: only our own tables are read, no view or trigger is run, and no query takes
more steps than an honest file of that size would need.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Generator
from pathlib import Path

from clinometer.store.cells import LARGEST
from clinometer.store.errors import PATIENCE, DamagedError, UnsoundError, code_of, is_damage, not_damage
from clinometer.store.reading import Reading, reading
from clinometer.store.schema import APPLICATION_ID, VERSION, make_tables, our_schema, schema_of
from clinometer.store.write_ahead_log import LONE, WriteAheadLog, is_lone

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LARGEST + 2**20,  # a row is its data and little else
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}
_PACE = 100_000  # SQLite's steps between two looks at how many there were
_INHERITED: list[sqlite3.Connection] = []  # kept, for the garbage collector would close them


class Database:
    """An open file of ours, and the one thread that may use it.

    It is opened for reading. The first write opens it for writing: whoever only reads changes nothing, and deletes no
    log under a process that writes. The file itself holds every transaction as soon as it is over, so that a copy of
    it alone has all rows; `WriteAheadLog` says how.

    Args:
        path: The file, made if it is not there; None for one in memory.
        read_only: Open an existing file, and never change it.

    Raises:
        ValueError: if the file is not ours, of another version, or is to be read and is not there.
        DamagedError: if it is ours and damaged.
        OSError: if it is locked (TimeoutError), or the disk fails.
    """

    def __init__(self, path: Path | None, read_only: bool) -> None:
        self.where = "the store in memory" if path is None else str(path)
        self.size = 0  # bytes, as of the last moment
        self.ids: dict[tuple[str, ...], int] = {}  # of names and kinds that are known to be written
        self.patience = PATIENCE  # seconds to wait for another process that writes
        self._path, self._read_only = path, read_only
        self._log: WriteAheadLog | None = None  # of a file that is open for writing
        self._owner = _here()
        self._reading: Reading | None = None  # of a file that is open for reading
        self._left = 100 * _PACE
        there = path is not None and path.is_file()
        if read_only and not there:
            raise ValueError(f"no store at {path}; expected the rows.sqlite that a Recorder or a run wrote.")
        if path and not there:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._opened("ro" if there else "rwc")

    def is_inherited(self) -> bool:
        """Whether this process is a fork of the one that opened the file."""
        return self._owner[0] != os.getpid()

    def close(self) -> None:
        """Close the file; nothing happens if it is closed, nor in a fork of the process that opened it.

        SQLite does not know that it was forked: it would take locks that the other process needs at that moment.
        """
        if self.is_inherited():
            _INHERITED.append(self._db)
        else:
            self._db.close()
            if self._reading:
                self._reading.close()

    @contextlib.contextmanager
    def moment(self, *, writes: bool = False, durable: bool = False) -> Generator[sqlite3.Connection]:
        """A transaction: all of it happens, or nothing; and what it reads was there at one time.

        Args:
            writes: Whether it may change something.
            durable: Whether it, and all transactions before it, must survive a power cut.
        """
        if self._owner != _here():
            raise RuntimeError(
                f"{self.where} was opened in another thread or process, and is used only there. "
                "Open it here as well: Store(path, read_only=True)."
            )
        with self._explained():
            if not writes:
                self._prepare_to_read()
            else:
                self._prepare_to_write(durable)
                self._db.execute(f"PRAGMA busy_timeout = {int(1000 * self.patience)}")
            self._db.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                self.size = self.pragma("page_count") * self.pragma("page_size")
                # Reading a row takes SQLite about 20 steps, and no row fits into 4 bytes: 16 a byte are plenty.
                self._left = 100 * _PACE + 16 * self.size
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            if writes and self._log:
                self._log.fold()

    def settle(self, pragma: str, expected: object) -> None:
        """Run a pragma outside of a transaction that needs the file for itself, and see that it worked."""
        with self._explained():
            self._prepare_to_write(durable=True)
            if (found := self.pragma(pragma)) != expected:
                raise TimeoutError(f"{self.where} is in use elsewhere: {pragma} gave {found}. Try again later.")

    def pragma(self, pragma: str) -> int:
        """The first value that a pragma gives."""
        return self._db.execute(f"PRAGMA {pragma}").fetchone()[0]

    def _opened(self, mode: str) -> sqlite3.Connection:
        """The file, checked to be ours; its tables are made where it has none and is not only read."""
        name = f"{self._path.absolute().as_uri()}?mode={mode}" if self._path else "file::memory:"
        if self._reading:
            self._reading.close()
        self._reading = reading(self._path) if self._path and mode == "ro" else None
        name = self._reading.uri if self._reading else name
        with self._explained():
            # Threads are told apart in `moment`, in words; but the garbage collector may close from any of them.
            db = sqlite3.connect(name, timeout=self.patience, isolation_level=None, check_same_thread=False, uri=True)
        try:
            with self._explained():
                return self._claimed(db, mode)
        except BaseException:
            db.close()
            raise

    def _claimed(self, db: sqlite3.Connection, mode: str) -> sqlite3.Connection:
        db.set_progress_handler(self._tires, _PACE)
        for limit, value in _LIMITS.items():
            db.setlimit(limit, value)
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0"):
            db.execute(f"PRAGMA {setting}")
        try:
            ours, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
            schema = schema_of(db)
        except sqlite3.DatabaseError as error:
            if code_of(error) != sqlite3.SQLITE_NOTADB:
                raise  # locked, or a failing disk: nobody may conclude that the file is worthless
            ours, version, schema = 0, 0, [("no database",)]
        if not schema and not self._read_only:
            if mode == "ro":  # begun, and killed before it had its tables
                db.close()
                return self._opened("rw")
            make_tables(db)
        elif ours != APPLICATION_ID:
            raise ValueError(
                f"{self.where} is not a clinometer store; choose another path. It was left as it is.{self._lone()}"
            )
        elif version != VERSION:
            raise ValueError(
                f"{self.where} was written by {'an earlier' if version < VERSION else 'a later'} version of "
                f"clinometer: its format is {version}, and this version reads {VERSION}. Make the run anew."
            )
        elif schema != our_schema():
            raise UnsoundError("its tables are not those of a store")
        if mode != "ro":
            db.execute("PRAGMA journal_mode = WAL")
            self._log = WriteAheadLog(db, self._path) if self._path else None
            if self._log:
                self._log.fold()
        return db

    def _prepare_to_read(self) -> None:
        """Open the file again if somebody has begun to write it."""
        if self._reading and self._reading.is_over():
            before = self._db
            self._db = self._opened("ro")
            before.close()

    def _prepare_to_write(self, durable: bool) -> None:
        """Open the file for writing, again if another program deleted its log."""
        if self._path and not self._read_only and (self._log is None or self._log.is_lost()):
            self._db.close()
            self._db = self._opened("rw")
        if self._log:
            self._log.begin(durable)

    def _tires(self) -> bool:
        self._left -= _PACE
        return self._left < 0

    @contextlib.contextmanager
    def _explained(self) -> Generator[None]:
        """SQLite's errors as ours: only what is certainly the file's fault is called damage."""
        try:
            yield
        except sqlite3.ProgrammingError as error:
            raise RuntimeError(f"{self.where} cannot be used: {error} Open it anew.") from error
        except (UnsoundError, UnicodeDecodeError) as error:
            raise self._damaged(error) from error
        except MemoryError as error:
            bytearray(LARGEST)  # fails again where there is no memory; SQLite says the same of impossible lengths
            raise self._damaged("a value in it declares an impossible length") from error
        except sqlite3.Error as error:
            raise (
                self._damaged(error) if is_damage(error) else not_damage(error, self.where, self.patience)
            ) from error

    def _damaged(self, what: object) -> DamagedError | TimeoutError:
        if self._reading and self._reading.is_over():
            return TimeoutError(f"{self.where} was written to while it was read. Read it again.")
        return DamagedError(
            f"{self.where} is damaged: {what}. Use a sound copy, or delete it and make the run again.{self._lone()}"
        )

    def _lone(self) -> str:
        """What to say beside of a file that may have been copied while it was written."""
        return LONE if self._path and is_lone(self._path) else ""


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()
