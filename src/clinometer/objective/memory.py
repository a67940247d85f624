"""Whether there is room in memory for more. Where a machine's own memory ends, so does the program: no error tells."""

import os
from pathlib import Path

# A container's limit and what it holds, in the two versions of Linux's control groups.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def has_room_for(copies: int) -> bool:
    """Whether half of the free memory holds so many times what this process holds; False where nothing tells.

    Example:
        >>> has_room_for(10**9)
        False
    """
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return copies * resident < _free() / 2
    except (OSError, ValueError):  # no Linux
        return False


def _free() -> int:
    """Bytes that this process may still take, by the machine and by its container."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = 1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
    for limit, used in _GROUPS:
        if Path(limit).exists() and (most := Path(limit).read_text().strip()) != "max":
            free = min(free, int(most) - int(Path(used).read_text()))
    return free
