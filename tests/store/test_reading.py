"""Who reads a store leaves nothing: no file beside it, no byte and no time of change, whatever state it is in."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from clinometer import Store

WRITER = """
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


def writer(file: Path, how: str) -> "subprocess.Popen[bytes]":
    """A process that has written 40 rows."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"written\n"
    return process


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a process that was killed: its log and the index of it are there."""
    folder = tmp_path_factory.mktemp("killed")
    with writer(folder / "rows.sqlite", "killed") as process:
        assert process.wait(60) == -signal.SIGKILL
    assert listing(folder).keys() >= {"rows.sqlite", "rows.sqlite-wal", "rows.sqlite-shm"}
    return folder


@pytest.fixture
def written() -> Iterator[Callable[[Path], None]]:
    """Starts a process that goes on to hold the store that it writes."""
    running: list[subprocess.Popen[bytes]] = []
    yield lambda folder: running.append(writer(folder / "rows.sqlite", "held"))
    for process in running:
        with process:
            process.kill()


def listing(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """What anybody can see of a folder and of its files."""
    facts = {path: path.stat() for path in (folder, *folder.iterdir())}
    return {
        path.name: (each.st_ino, each.st_size, each.st_mtime_ns, b"" if path == folder else path.read_bytes())
        for path, each in facts.items()
    }


def read(folder: Path) -> list[float]:
    with closing(Store(folder / "rows.sqlite", read_only=True)) as store:
        assert store.last_step() == 39
        return store.read("train")["loss"].tolist()


def close(folder: Path) -> None:
    with closing(Store(folder / "rows.sqlite")) as store:
        for step in range(40):
            store.append(step, {"train": {"loss": float(step)}})


def seal(folder: Path) -> None:
    close(folder)
    with closing(Store(folder / "rows.sqlite")) as store:
        store.seal()


@pytest.mark.parametrize("make", [close, seal])
def test_a_store_that_was_closed(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Inode, size, time and bytes of each file, and of the folder, are compared; SQLite itself makes two files here."""
    make(tmp_path)
    before = listing(tmp_path)
    assert read(tmp_path) == [float(step) for step in range(40)]
    assert listing(tmp_path) == before


@pytest.mark.parametrize("lost", [(), ("-shm",), ("-shm", "-wal")])
def test_a_store_whose_process_was_killed(lost: tuple[str, ...], killed: Path, tmp_path: Path) -> None:
    """With its log, as a copy of file and log, and as one of the file alone, in which all rows are."""
    folder = Path(shutil.copytree(killed, tmp_path / "copy"))
    for end in lost:
        (folder / f"rows.sqlite{end}").unlink()
    before = listing(folder)
    assert read(folder) == [float(step) for step in range(40)]
    assert listing(folder) == before


def test_rows_that_are_in_the_log_alone(killed: Path, tmp_path: Path) -> None:
    """The file is cut back to what it was before the last rows, so that only the log has them: both ways find them."""
    for name, lost in {"with": (), "without": ("-shm",)}.items():
        folder = tmp_path / name
        folder.mkdir()
        with closing(Store(folder / "rows.sqlite")) as store:
            store.append(0, {"train": {"loss": 0.5}})
            early = (folder / "rows.sqlite").read_bytes()
            store.append(1, {"train": {"loss": 1.5}})
            kept = {end: (folder / f"rows.sqlite{end}").read_bytes() for end in ("-wal", "-shm")}
        (folder / "rows.sqlite").write_bytes(early)
        for end, data in kept.items():
            (folder / f"rows.sqlite{end}").write_bytes(data)
        for end in lost:
            (folder / f"rows.sqlite{end}").unlink()
        before = listing(folder)
        with closing(Store(folder / "rows.sqlite", read_only=True)) as store:
            assert store.read("train")["loss"].tolist() == [0.5, 1.5]
        assert listing(folder) == before


def test_a_store_that_is_being_written(written: Callable[[Path], None], tmp_path: Path) -> None:
    """The process that holds it is idle meanwhile, so that whatever changes was changed by the reader."""
    written(tmp_path)
    before = listing(tmp_path)
    assert {"rows.sqlite-wal", "rows.sqlite-shm"} <= before.keys()
    assert read(tmp_path) == [float(step) for step in range(40)]
    assert listing(tmp_path) == before


def test_what_is_written_later_is_read_by_who_had_opened_it_before(tmp_path: Path) -> None:
    """It was opened as a file that cannot change; then it does."""
    file = tmp_path / "rows.sqlite"
    with closing(Store(file)) as store:
        store.append(0, {"train": {"loss": 0.5}})
    with closing(Store(file, read_only=True)) as reader:
        assert reader.last_step() == 0
        with closing(Store(file)) as store:
            store.append(1, {"train": {"loss": 1.5}})
            assert reader.last_step() == 1
        assert reader.read("train")["loss"].tolist() == [0.5, 1.5]
