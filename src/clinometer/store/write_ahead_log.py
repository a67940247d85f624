"""The write-ahead log beside a store that is written, and what it must never cost: rows.

SQLite writes a transaction to `rows.sqlite-wal` first, so that others can read meanwhile and a kill undoes nothing
half-way. Three things go wrong with the log of a file that is written for hours, and are prevented here.

- The file is copied alone. So each transaction is folded into the file as soon as it is over.
- The log is deleted under the process that writes. POSIX drops all locks that a process holds on a file when it closes
  any descriptor of it, as `shutil.copy` does; the next program that closes the file then takes itself for the last one.
  So the log is looked at before each transaction.
- Folding in safely takes SQLite two syncs, some milliseconds. So a transaction is synced where that takes at most a
  twentieth of the time. After a kill nothing is lost in either case; a power cut may damage a file that was written
  to within the last second, which reading it says.
"""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

_SHARE = 20  # times as long as a sync took until the next
_WAL = b"\x02\x02"  # in the header of a file that has a log

LONE = " If it was copied from a run that was going on, copy it again, and the rows.sqlite-wal beside it with it."


class WriteAheadLog:
    """The log of a connection that writes.

    Args:
        db: The connection; its file is in WAL mode.
        path: The file.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._file = db, _log_of(path)
        db.execute("PRAGMA wal_autocheckpoint = 0")  # `fold` does it
        self._durable = False
        self._began = self._synced = float("-inf")
        self._took = 0.0  # seconds, the last synced transaction
        self.begin(True)
        self._identity = file_identity(self._file)

    def is_lost(self) -> bool:
        """Whether another program deleted the log, or has put another in its place."""
        return self._identity is not None and file_identity(self._file) != self._identity

    def begin(self, durable: bool) -> None:
        """Before a transaction: decide whether it is synced, which it is if `durable`."""
        now = time.monotonic()
        durable = durable or now - self._synced >= _SHARE * self._took
        if durable != self._durable:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        self._durable, self._began = durable, now

    def fold(self) -> None:
        """After a transaction: copy it into the file, as far as no other process is reading what it would overwrite."""
        with contextlib.suppress(sqlite3.Error):  # it is in the log; a disk that fails says so at the next transaction
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if self._durable:
            self._synced = time.monotonic()
            self._took = self._synced - self._began


def is_lone(path: Path) -> bool:
    """Whether a file was made to have a log beside it, and has none with anything in it."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(20)[18:] == _WAL and not (file_identity(_log_of(path)) and _log_of(path).stat().st_size)
    return False


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def file_identity(file: Path) -> tuple[int, int] | None:
    """What tells a file from another one of its name; None if there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116 -- a third of the time of Path.stat, before every transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino
