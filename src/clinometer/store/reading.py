"""How a store is opened by who only reads it: nothing is made, changed or left beside it, whatever its state.

SQLite makes two files beside a database that has a write-ahead log, the log and an index of it, also where it only
reads, and who may not write cannot delete them. So they are opened by what is there.
"""

import contextlib
import os
import shutil
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BESIDE = ("-journal", "-wal", "-shm")
_HEADER = struct.Struct(">I4xI20x")  # of a log: what it is, and the bytes of a page; pages follow
_LOG = 0x377F0682  # or one more, by the order of bytes in checksums

Stamp = tuple[tuple[int, int, int, int] | None, ...]


@dataclass(frozen=True)
class Reading:
    """A file, opened for reading."""

    uri: str  # for SQLite
    path: Path
    stamp: Stamp | None  # of a file that nobody writes, whose changes SQLite does not see
    copy: "tempfile.TemporaryDirectory[str] | None" = None  # where a copy lies that is read in place of it

    def is_over(self) -> bool:
        """Whether somebody has begun to write what is read as if nobody did; a file that is gone can still be read."""
        if self.stamp is None or (now := _stamp(self.path)) == self.stamp:
            return False
        was, there = self.stamp[0], now[0]
        return was is not None and there is not None and there[:2] == was[:2]

    def close(self) -> None:
        """Delete the copy."""
        if self.copy:
            self.copy.cleanup()


def reading(path: Path) -> Reading:
    """Choose how to open a file that is there.

    - Without a log nobody writes it: it is read as a file that cannot change. So it is with a log of which SQLite takes
      nothing, as a process leaves it that is killed before its first page. With an index beside such a log, SQLite
      would try for ten seconds and give up ("locking protocol").
    - With a log and its index, of a process that writes or was killed, the index is opened for reading alone. SQLite
      makes its own in memory where no process keeps that up to date.
    - With a log alone, which was copied here, both are copied to a temporary folder, where SQLite may make an index.
    """
    stamp = _stamp(path)
    _, journal, log, index = stamp
    if journal:  # it is being made, or was killed then
        return Reading(_uri(path, "mode=ro"), path, None)
    if log and log[2] and not _may_hold_pages(Path(f"{path}-wal")):
        return Reading(_uri(path, "mode=ro&immutable=1"), path, stamp)
    if log and index:
        return Reading(_uri(path, "mode=ro&readonly_shm=1"), path, None)
    if log and log[2]:
        return _copied(path, stamp)
    return Reading(_uri(path, "mode=ro&immutable=1"), path, stamp)


def _may_hold_pages(log: Path) -> bool:
    """Whether a log has more than a header, and one that SQLite accepts."""
    begin = b""
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:  # it may be deleted at this moment
        begin = file.read(_HEADER.size + 1)
    if len(begin) <= _HEADER.size:
        return False
    kind, page = _HEADER.unpack_from(begin)
    return kind & ~1 == _LOG and 512 <= page <= 2**16 and page & (page - 1) == 0


def _copied(path: Path, stamp: Stamp) -> Reading:
    folder = tempfile.TemporaryDirectory(prefix="clinometer-")
    copy = Path(folder.name) / path.name
    try:
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{copy}{end}")
    except BaseException:
        folder.cleanup()
        raise
    return Reading(_uri(copy, "mode=ro"), path, stamp, folder)


def _uri(path: Path, query: str) -> str:
    return f"{path.absolute().as_uri()}?{query}"


def _stamp(path: Path) -> Stamp:
    """The inodes, sizes and times of change of a file and of those that SQLite makes beside it."""
    return tuple(_facts(f"{path}{end}") for end in ("", *_BESIDE))


def _facts(path: str) -> Any:
    with contextlib.suppress(OSError):
        found = os.stat(path)  # noqa: PTH116 -- before every transaction: a third of the time of Path.stat
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None
