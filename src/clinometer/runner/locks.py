"""Who makes which run: a lease is a lock that the kernel takes back when its process ends, however it ends.

No lease can outlive its holder or be taken from a living one, whatever clocks say; nobody has to wait for it to expire,
and there is no heartbeat to miss.
"""

import fcntl
import os
from pathlib import Path


class RunLocks:
    """The leases of this process on the runs of a study. Make one per process and study.

    A lease on the run KEY is a POSIX record lock on one byte of `study.lock`, an empty file: the byte's position is
    read off the key. Children that a run starts, such as the workers of a DataLoader, do not inherit it.

    Args:
        study: The study's folder.

    Example:
        >>> import tempfile
        >>> leases = RunLocks(Path(tempfile.mkdtemp()))
        >>> leases.take("00ff00ff00ff00ff"), leases.take("00ff00ff00ff00ff")  # it has it already
        (True, True)
        >>> leases.close()
    """

    def __init__(self, study: Path) -> None:
        self._file = os.open(study / "study.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def take(self, key: str) -> bool:
        """Hold the run from here on; False if another process does."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(key))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def give(self, key: str) -> None:
        """Hold it no longer."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(key))

    def free(self, key: str) -> bool:
        """Whether no other process holds the run."""
        taken = self.take(key)
        if taken:
            self.give(key)
        return taken

    def close(self) -> None:
        """Give back all that this process holds."""
        os.close(self._file)


def held(study: Path, key: str) -> bool:
    """Whether a process holds the run, seen from one that makes none itself; the folder may be read-only.

    It takes a lease that others may share for a moment, so a run that is to begin just then begins a moment later.
    """
    try:
        file = os.open(study / "study.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _byte(key))
    except (BlockingIOError, PermissionError):
        return True
    except OSError:  # no locks here, as in some network folders
        return False
    finally:
        os.close(file)
    return False


def _byte(key: str) -> int:
    return int(key[:15], 16)  # 60 bits: positions in a file have 63
