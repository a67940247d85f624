"""What others do to a store while a run writes to it costs no row: copies, readers, and programs that close it."""

import contextlib
import gc
import multiprocessing as mp
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from clinometer import Store
from clinometer.store import DamagedError, write_ahead_log


def steps(path: Path) -> list[int]:
    """The steps of a store that hold what was written there."""
    with contextlib.closing(Store(path, read_only=True)) as store:
        rows = store.rows().get("p", {})
    assert all((row["x"] == step).all() for step, row in rows.items())
    return list(rows)


def test_a_copy_of_the_file_alone_has_every_row(tmp_path: Path) -> None:
    """After each of many transactions the file is copied without its log; what was appended is the truth."""
    store = Store(tmp_path / "rows.sqlite")
    for step in range(200):
        store.append(step, {"p": {"x": np.full(100, step)}})
        copy = Path(shutil.copy(tmp_path / "rows.sqlite", tmp_path / "copy.sqlite"))
        assert step % 20 or steps(copy) == list(range(step + 1))
        for beside in tmp_path.glob("copy.sqlite-*"):
            beside.unlink()
    store.drop_from(150)
    assert steps(Path(shutil.copy(tmp_path / "rows.sqlite", tmp_path / "last.sqlite"))) == list(range(150))


def test_a_new_store_is_one_in_a_copy(tmp_path: Path) -> None:
    """Before its first row: a copy has no rows, and is not somebody else's file."""
    store = Store(tmp_path / "rows.sqlite")
    assert steps(Path(shutil.copy(tmp_path / "rows.sqlite", tmp_path / "copy.sqlite"))) == []
    store.close()


def test_rows_wait_in_the_log_while_somebody_reads_and_come_after(tmp_path: Path) -> None:
    """A reader's moment stays what it was, the writer does not wait, and the next transaction makes the file whole."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"p": {"x": 0}})
    with contextlib.closing(sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        seen = reader.execute("SELECT step FROM rows").fetchall()
        for step in (1, 2):
            store.append(step, {"p": {"x": step}})
        assert reader.execute("SELECT step FROM rows").fetchall() == seen == [(0,)]
        reader.execute("ROLLBACK")
        store.append(3, {"p": {"x": 3}})
        assert steps(Path(shutil.copy(tmp_path / "rows.sqlite", tmp_path / "copy.sqlite"))) == [0, 1, 2, 3]


def _train(path: Path, copied: Callable[[Path], None], go_on: Connection) -> None:
    """A process that appends, copies its own file, appends when told to, and waits to be killed."""
    store = Store(path)
    for step in range(10):
        store.append(step, {"p": {"x": np.full(50, step)}})
    copied(path)
    go_on.send(None)
    go_on.recv()
    for step in range(10, 60):
        store.append(step, {"p": {"x": np.full(50, step)}})
    go_on.send(None)
    go_on.recv()


def _copy_file(path: Path) -> None:
    shutil.copy(path, path.with_name("backup"))


def _copy_folder(path: Path) -> None:
    shutil.copytree(path.parent, path.parent.with_name("backup"))


def _by_store(path: Path) -> None:
    store = Store(path)
    store.last_step()
    store.close()


def _by_sqlite(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("SELECT count(*) FROM rows").fetchone()
    db.close()


def _by_writing(path: Path) -> None:
    store = Store(path)
    store.set_meta(note="mine")
    store.close()


@pytest.mark.parametrize("copied", [_copy_file, _copy_folder])
@pytest.mark.parametrize("opened", [_by_store, _by_sqlite, _by_writing])
def test_no_row_is_lost_to_who_closes_a_file_that_its_writer_has_copied(
    copied: Callable[[Path], None], opened: Callable[[Path], None], tmp_path: Path
) -> None:
    """POSIX drops the writer's locks as it closes its copy's source, so that another program deletes its log.

    The truth is what the writer appended: a reader sees all of it at once, and all of it is there after SIGKILL.
    """
    path = tmp_path / "run" / "rows.sqlite"
    context = mp.get_context("fork")
    here, there = context.Pipe()
    writer = context.Process(target=_train, args=(path, copied, there), daemon=True)
    writer.start()
    here.recv()
    other = context.Process(target=opened, args=(path,))
    other.start()
    other.join()
    assert other.exitcode == 0
    here.send(None)
    here.recv()
    assert steps(path) == list(range(60))
    assert writer.pid
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert steps(path) == list(range(60))
    with contextlib.closing(Store(path)) as store:
        store.append(60, {"p": {"x": 60}})
        store.verify()


def test_a_fork_that_closes_the_store_does_not_touch_the_file(tmp_path: Path) -> None:
    """Its SQLite would lock the file, and the writer's own end then failed 9 times in 300: the fork keeps it open."""
    path = tmp_path / "rows.sqlite"
    store = Store(path)
    store.append(0, {"p": {"x": 0}})
    if (fork := os.fork()) == 0:
        store.close()
        del store
        gc.collect()
        os._exit(0 if path in [file.resolve() for file in Path("/proc/self/fd").iterdir()] else 1)
    assert os.waitpid(fork, 0)[1] == 0
    store.append(1, {"p": {"x": 1}})
    store.seal()
    store.close()
    assert steps(path) == [0, 1]


def test_who_only_reads_changes_no_byte(tmp_path: Path) -> None:
    """A finished run's file has a digest: opened as for writing, and read, it is what it was."""
    path = tmp_path / "rows.sqlite"
    store = Store(path)
    store.append(0, {"p": {"x": 0}})
    store.seal()
    store.close()
    before = path.read_bytes()
    again = Store(path)
    assert (again.last_step(), again.probes()) == (0, ["p"])
    again.close()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["rows.sqlite"]


def test_a_copy_taken_while_rows_are_written_is_named_or_an_earlier_moment(tmp_path: Path) -> None:
    """Each page of the copy is read at another moment: it is refused, or has the rows of one moment, in full."""
    store, draw = Store(tmp_path / "rows.sqlite"), random.Random(0)
    step, refused = 0, 0
    for number in range(60):
        pages: list[bytes] = []
        with (tmp_path / "rows.sqlite").open("rb") as file:
            while page := file.read(4096):
                pages.append(page)
                for _ in range(draw.choice([0, 0, 0, 1, 4])):
                    store.append(step, {"p": {"x": np.full(draw.choice([1, 200]), step)}})
                    step += 1
                if len(pages) > 400:
                    break
        copy = tmp_path / f"{number}.sqlite"
        copy.write_bytes(b"".join(pages))
        try:
            found = steps(copy)
        except DamagedError as error:
            assert "copied from a run that was going on" in str(error)  # noqa: PT017
            refused += 1
        else:
            assert found == list(range(len(found)))
        if step > 300:
            store.drop_from(step := 0)
    assert refused > 10


def test_rows_are_synced_where_that_takes_a_twentieth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SQLite's own setting, with a clock of the test's: a sync that took 1 s is followed by none for 20 s."""
    now = [0.0]
    monkeypatch.setattr(write_ahead_log.time, "monotonic", lambda: now[0])
    fold = write_ahead_log.WriteAheadLog.fold
    monkeypatch.setattr(write_ahead_log.WriteAheadLog, "fold", lambda log: (now.__setitem__(0, now[0] + 1), fold(log)))
    store, synced = Store(tmp_path / "rows.sqlite"), list[int]()
    for step in range(60):
        store.append(step, {"p": {"x": step}})
        synced += [step] if store._db.pragma("synchronous") == 2 else []
    assert synced == [20, 41], "the first 20 s after it was opened, which took 1 s"
    store.flush()
    assert store._db.pragma("synchronous") == 2
