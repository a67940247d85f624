"""A lock for as long as it takes to read a small file, change it and write it, so that no process undoes another's."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock on the empty file `path` while a `with` block lasts; wait for the process that holds it.

    The kernel releases it when the process ends. On a file system without locks there is none.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "records" / "claims.lock"
        >>> with locked(path):
        ...     path.stat().st_size
        0
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)  # before it is closed: a process forked meanwhile may have it open too
        os.close(file)
