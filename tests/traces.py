"""What anybody can see of a folder, and stores in each state in which a reader may find one."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

_WRITER = """
import os, signal, sys
from pathlib import Path
from clinometer.store import Store
store = Store(Path(sys.argv[1]))
for step in range(40):
    store.append(step, {"train": {"loss": float(step)}})
print("written", flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.stdin.read()
"""
Seen = dict[str, tuple[int, int, int, bytes]]


def seen(folder: Path) -> Seen:
    """The inode, size and time of change of a folder and of all in it, and each file's bytes."""
    facts = {path: path.lstat() for path in (folder, *folder.rglob("*"))}
    return {
        str(path.relative_to(folder)): (
            each.st_ino,
            each.st_size,
            each.st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path, each in facts.items()
    }


def writing(file: Path, how: str = "held") -> "subprocess.Popen[bytes]":
    """A process that has written the rows of 40 steps to a store, and goes on to hold it, or is `killed`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(file), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"written\n"
    return process


def killed(folder: Path) -> Path:
    """The store that a process left that was killed: its log and the index of it are there."""
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder / "rows.sqlite", "killed") as process:
        assert process.wait(60) == -signal.SIGKILL
    assert {"rows.sqlite", "rows.sqlite-wal", "rows.sqlite-shm"} <= seen(folder).keys()
    return folder


def copied(folder: Path, to: Path, *lost: str) -> Path:
    """A copy of the folder of a store, without some of what is beside it, such as `-shm`."""
    shutil.copytree(folder, to)
    for end in lost:
        (to / f"rows.sqlite{end}").unlink()
    return to
