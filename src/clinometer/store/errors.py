"""What goes wrong with a store's file, and which of SQLite's errors say that it is the file's fault."""

import contextlib
import errno
import shutil
import sqlite3
from pathlib import Path

PATIENCE = 30.0  # seconds to wait for another process that writes
_LITTLE = 2**16  # bytes on a disk that is as good as full
_DAMAGE = {  # where our own queries, of our own tables, end so
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_INTERRUPT,
}  # fmt: skip
_ERRNO = {sqlite3.SQLITE_READONLY: errno.EACCES, sqlite3.SQLITE_PERM: errno.EACCES}


class DamagedError(ValueError):
    """A file is damaged, or was made to do harm: the message names it, what is wrong with it and what to do."""


class UnsoundError(Exception):
    """What is wrong with the file of a `Database.moment`; it leaves the moment as a `DamagedError`."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether it is certainly the file's fault, where the query is ours and the tables should be."""
    return code_of(error) in _DAMAGE


def not_damage(error: sqlite3.Error, where: str, patience: float = PATIENCE) -> OSError:
    """What it is otherwise: another process (TimeoutError), or the disk."""
    code = code_of(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TimeoutError(
            f"{where} is locked: another process has kept it for more than {patience:g} s. "
            "Wait for that process, or end it; one process at a time writes to a store."
        )
    what = f"{where} cannot be read or written: {error}"
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(where)):
        return OSError(errno.ENOSPC, f"{what}. Free some space")
    return OSError(_ERRNO.get(code, errno.EIO), f"{what}. Look at the disk, and at the permissions")


def _is_full(where: str) -> bool:
    """Whether next to nothing is left: SQLite then fails to lengthen a file of its own, and does not say why."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(Path(where).parent).free < _LITTLE
    return False


def code_of(error: sqlite3.Error) -> int:
    """The code of SQLite's error."""
    # Without a code it is Python's: text that is not UTF-8.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
