"""Locks that say which process makes a run. The kernel releases a lock when its process ends, however it ends.

So no lock outlives its holder and none is taken from a living one, whatever clocks say. Nothing expires, and there is
no heartbeat to miss.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

_ATTEMPTS = 3
_PAUSE = 0.005  # seconds between two attempts


class RunLocks:
    """Locks on runs of a study, held until they are released or the process ends.

    A lock is an exclusive `flock` on the empty file `records/KEY.lock`. It belongs to the file that this object has
    open: neither another `RunLocks` nor `is_locked` can release it, not even in the same process, where a POSIX record
    lock (`lockf`) would be lost as soon as anybody closes the file. Children do not inherit it: the file is closed on
    exec, and after a fork at once, so that a DataLoader's worker cannot keep the lock of a run that was killed.

    Args:
        study: The study's folder.

    Example:
        >>> import tempfile
        >>> study = Path(tempfile.mkdtemp())
        >>> locks, others = RunLocks(study), RunLocks(study)
        >>> locks.acquire("00ff00ff00ff00ff"), locks.acquire("00ff00ff00ff00ff"), others.acquire("00ff00ff00ff00ff")
        (True, True, False)
        >>> locks.close()
        >>> others.acquire("00ff00ff00ff00ff")
        True
    """

    def __init__(self, study: Path) -> None:
        self._study = study
        self._files: dict[str, int] = {}  # run's key to the descriptor of its open lock file
        (study / "records").mkdir(parents=True, exist_ok=True)

    def acquire(self, key: str) -> bool:
        """Lock a run; False if it is locked by another object or process."""
        if key in self._files:
            return True
        file = os.open(lock_file(self._study, key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._files[key] = file
        _OPEN[file] = self
        acquired = False
        try:
            acquired = _acquire(file)
        finally:
            if not acquired:
                self.release(key)
        return acquired

    def release(self, key: str) -> None:
        """Unlock a run; nothing happens if this object has not locked it."""
        file = self._files.pop(key, None)
        if file is not None:
            del _OPEN[file]
            _unlock(file)

    @contextlib.contextmanager
    def attempt(self, key: str) -> Generator[bool]:
        """Lock a run while a `with` block lasts; yields False if it is locked elsewhere."""
        before = key in self._files
        acquired = self.acquire(key)
        try:
            yield acquired
        finally:
            if acquired and not before:
                self.release(key)

    def close(self) -> None:
        """Release all locks that this object holds."""
        for key in list(self._files):
            self.release(key)

    def _forget(self) -> None:
        self._files.clear()


def is_locked(study: Path, key: str) -> bool:
    """Whether a run is locked, by this process or another; the folder may be read-only.

    It takes a shared lock for some microseconds, which `RunLocks.acquire` waits for.
    """
    try:
        file = os.open(lock_file(study, key), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks, as some network folders are
        return False
    finally:
        _unlock(file)
    return False


def lock_file(study: Path, key: str) -> Path:
    """The file that is locked while a run is made."""
    return study / "records" / f"{key}.lock"


def _acquire(file: int) -> bool:
    """Lock a file; try again a moment later, for what was in the way may be somebody who looked at the lock."""
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_PAUSE)
    return False


def _unlock(file: int) -> None:
    """Release and close a lock's file; unlocked first, since a process forked meanwhile may have it open too."""
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


_OPEN: dict[int, RunLocks] = {}  # descriptors of all lock files that this process has locked


def _close_in_child() -> None:
    """Close the parent's lock files in a forked child; closing a copy does not release the parent's lock."""
    for file, locks in _OPEN.items():
        os.close(file)
        locks._forget()  # pyright: ignore[reportPrivateUsage]
    _OPEN.clear()


os.register_at_fork(after_in_child=_close_in_child)
