"""Who reads a store leaves nothing: no file beside it, no byte and no time of change, whatever state it is in."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from traces import copied, killed, seen, writing

from clinometer import Store


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return killed(tmp_path_factory.mktemp("killed"))


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
    before = seen(tmp_path)
    assert read(tmp_path) == [float(step) for step in range(40)]
    assert seen(tmp_path) == before


@pytest.mark.parametrize("lost", [(), ("-shm",), ("-shm", "-wal")])
def test_a_store_whose_process_was_killed(lost: tuple[str, ...], left: Path, tmp_path: Path) -> None:
    """With its log, as a copy of file and log, and as one of the file alone, in which all rows are."""
    folder = copied(left, tmp_path / "copy", *lost)
    before = seen(folder)
    assert read(folder) == [float(step) for step in range(40)]
    assert seen(folder) == before


@pytest.mark.parametrize("lost", [(), ("-shm",)])
@pytest.mark.parametrize("size", [*range(0, 64, 4), 31, 33, 55, 57, 32 + 24 + 4096, 32 + 24 + 4097])
def test_a_log_that_was_cut_anywhere(size: int, lost: tuple[str, ...], left: Path, tmp_path: Path) -> None:
    """A kill may come after any byte. SQLite reads no file whose index is read-only and whose log is a header alone."""
    folder = copied(left, tmp_path / "copy", *lost)
    with (folder / "rows.sqlite-wal").open("rb+") as log:
        log.truncate(size)
    before = seen(folder)
    assert read(folder) == [float(step) for step in range(40)]
    assert seen(folder) == before


@pytest.mark.parametrize("place", range(32))
def test_a_log_whose_header_is_damaged(place: int, left: Path, tmp_path: Path) -> None:
    """A power cut may leave any bytes. SQLite takes nothing of such a log, and all rows are in the file itself."""
    folder = copied(left, tmp_path / "copy")
    log = bytearray((folder / "rows.sqlite-wal").read_bytes())
    log[place] ^= 0x55
    (folder / "rows.sqlite-wal").write_bytes(log)
    assert read(folder) == [float(step) for step in range(40)]


@pytest.mark.parametrize("lost", [(), ("-shm",)])
def test_rows_that_are_in_the_log_alone(lost: tuple[str, ...], tmp_path: Path) -> None:
    """The file is put back to what it was before the last row, which only the log then has: it is found there."""
    with closing(Store(tmp_path / "rows.sqlite")) as store:
        store.append(0, {"train": {"loss": 0.5}})
        early = (tmp_path / "rows.sqlite").read_bytes()
        store.append(1, {"train": {"loss": 1.5}})
        kept = {end: (tmp_path / f"rows.sqlite{end}").read_bytes() for end in ("-wal", "-shm")}
    (tmp_path / "rows.sqlite").write_bytes(early)
    for end in kept.keys() - set(lost):
        (tmp_path / f"rows.sqlite{end}").write_bytes(kept[end])
    before = seen(tmp_path)
    with closing(Store(tmp_path / "rows.sqlite", read_only=True)) as store:
        assert store.read("train")["loss"].tolist() == [0.5, 1.5]
    assert seen(tmp_path) == before


def test_a_store_that_is_being_written(tmp_path: Path) -> None:
    """The process that holds it is idle meanwhile, so that whatever changes was changed by the reader."""
    with writing(tmp_path / "rows.sqlite") as process:
        before = seen(tmp_path)
        assert {"rows.sqlite-wal", "rows.sqlite-shm"} <= before.keys()
        assert read(tmp_path) == [float(step) for step in range(40)]
        assert seen(tmp_path) == before
        process.kill()


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
