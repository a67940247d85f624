import contextlib
import random
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clinometer import Store
from clinometer.store import DamagedError, database

ARRAYS = hnp.arrays(
    st.sampled_from(["<f4", "<f8", "<i8", "|b1", "<U3"]), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)
)


@given(st.lists(ARRAYS, min_size=1, max_size=3))
def test_what_goes_in_comes_out(arrays: list[np.ndarray[Any, Any]]) -> None:
    """The truth is the array itself, compared in type, shape and every byte; NaN payloads included."""
    store = Store()
    store.append(3, {"probe": {f"field{i}": array for i, array in enumerate(arrays)}})
    rows = store.read("probe")
    assert rows["step"].tolist() == [3]
    for index, array in enumerate(arrays):
        column = rows[f"field{index}"]
        assert column.dtype == array.dtype
        assert column.shape == (1, *array.shape)
        assert column.tobytes() == array.tobytes()


def test_tensors_numbers_and_names_are_taken() -> None:
    """What probes return; bfloat16 has no NumPy type and is widened exactly."""
    store = Store()
    store.append(0, {"p": {"t": torch.ones(2, dtype=torch.bfloat16), "x": 1.5, "n": ("a", "bb")}})
    rows = store.read("p")
    assert rows["t"].tolist() == [[1.0, 1.0]]
    assert rows["t"].dtype == np.float32
    assert rows["n"].tolist() == [["a", "bb"]]


def test_a_step_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """The second value is refused by SQLite's own constraint; the first must then be gone too."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"p": {"x": 1.0}})
    with pytest.raises(ValueError, match=r"step 0 is in .* already"):
        store.append(0, {"new": {"y": 2.0}, "p": {"x": 3.0}})
    assert store.probes() == ["p"]
    store.append(1, {"new": {"y": 2.0}, "p": {"x": 3.0}})
    assert store.read("p")["x"].tolist() == [1.0, 3.0]
    with pytest.raises(ValueError, match="numbers or text; found object"):
        store.append(2, {"p": {"x": object()}})


def test_what_would_be_ambiguous_is_refused() -> None:
    """The same value in another type is still the same value; 'step' is the index; a step is an integer."""
    store = Store()
    store.append(np.int64(0), {"p": {"x": 1.0}})
    with pytest.raises(ValueError, match="already"):
        store.append(0, {"p": {"x": 2}})
    with pytest.raises(ValueError, match="named 'step'"):
        store.append(1, {"p": {"step": 5}})
    with pytest.raises(TypeError):
        store.append(1.5, {"p": {"x": 1.0}})  # type: ignore[arg-type]
    assert store.read("p")["step"].tolist() == [0]


def test_a_store_is_written_ahead(tmp_path: Path) -> None:
    """WAL lets a second process read while the first writes, and is what the figures on kills were measured with."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"p": {"x": 1.0}})
    with sqlite3.connect(tmp_path / "rows.sqlite") as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_locked_store_is_not_called_foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever believed it would throw a finished run away."""
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    path = tmp_path / "rows.sqlite"
    Store(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("PRAGMA journal_mode = DELETE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(TimeoutError, match=r"is locked: another process has kept it for more than 0\.1 s\. Wait"):
            Store(path)
    finally:
        holder.close()


def test_rows_from_a_step_on_can_be_dropped(tmp_path: Path) -> None:
    """Reopened in between, as after a kill."""
    store = Store(tmp_path / "rows.sqlite")
    for step in range(5):
        store.append(step, {"p": {"x": float(step)}})
    store.close()
    again = Store(tmp_path / "rows.sqlite")
    again.drop_from(3)
    assert again.last_step() == 2
    again.append(3, {"p": {"x": 30.0}})
    assert again.read("p")["x"].tolist() == [0.0, 1.0, 2.0, 30.0]


def test_facts_survive(tmp_path: Path) -> None:
    """JSON in, JSON out."""
    store = Store(tmp_path / "rows.sqlite")
    store.set_meta(ended=True, note="ünï", numbers=[1, 2])
    store.close()
    assert Store(tmp_path / "rows.sqlite", read_only=True).meta == {"ended": True, "note": "ünï", "numbers": [1, 2]}


def test_foreign_files_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    """Another program's database and a text file, compared byte for byte afterwards."""
    text, database = tmp_path / "notes.sqlite", tmp_path / "other.sqlite"
    text.write_text("my notes, not a database, and long enough to be read as a header of one hundred bytes" * 3)
    with sqlite3.connect(database) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    for path in (text, database):
        before = path.read_bytes()
        for read_only in (True, False):
            with pytest.raises(ValueError, match="not a clinometer store"):
                Store(path, read_only=read_only)
        assert path.read_bytes() == before
    with pytest.raises(ValueError, match="no store at"):
        Store(tmp_path / "none.sqlite", read_only=True)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE kinds SET dtype = 'O'",
        "UPDATE kinds SET shape = '[1000000000]' WHERE id = 1",
        "UPDATE rows SET data = x'00'",
        "UPDATE rows SET step = 50 WHERE step = 1",
        "UPDATE fields SET name = 'w' WHERE id = 1",
        "UPDATE fields SET id = 9 WHERE id = 1",
        "DELETE FROM rows",
        "DELETE FROM steps",
        "DELETE FROM fields",
        "DELETE FROM meta",
        "UPDATE meta SET facts = '{}'",
    ],
)
def test_a_damaged_store_is_named(tmp_path: Path, damage: str) -> None:
    """An object dtype would be unpickled and a wrong shape read past the end, were they believed."""
    path = tmp_path / "rows.sqlite"
    with contextlib.closing(sqlite3.connect(small(path))) as db, db:
        db.execute(damage)
    with pytest.raises(DamagedError, match=r"rows\.sqlite is damaged: .+\. Use a sound copy, or delete it"):
        everything(path)
    with pytest.raises(DamagedError, match="is damaged"):
        Store(path).verify()


def small(path: Path, steps: int = 6) -> Path:
    """A sealed store with a value on many pages, many on one, text and facts."""
    store = Store(path)
    for step in range(steps):
        store.append(step, {"p": {"x": np.arange(3), "layer": ["a", "bc"]}, "q": {"y": 0.5 + step}})
    store.append(99, {"big": {"z": np.arange(600.0)}})
    store.set_meta(ended=True, diverged_at=7)
    store.seal()
    store.close()
    return path


def everything(path: Path) -> tuple[object, ...]:
    """All that can be read of it, by every method."""
    store = Store(path, read_only=True)
    try:
        rows = {
            (probe, step, name): (array.dtype, array.shape, array.tobytes())
            for probe, steps in store.rows().items()
            for step, row in steps.items()
            for name, array in row.items()
        }
        stacked = {probe: {name: a.tobytes() for name, a in store.read(probe).items()} for probe in store.probes()}
        return rows, stacked, store.last_step(), store.meta, list(store.rows("q", start=3)), store.digest(50)
    finally:
        store.close()


def test_no_flipped_byte_is_read_as_another_number(tmp_path: Path) -> None:
    """What was written is the truth: after each change the file is refused, or the change did not matter.

    Most positions are drawn from the bytes that are not zero, where the data and the tables' structure are. All
    45,056, each changed once, were tried by hand: 30,254 did not matter, 14,772 were called damage, 30 another file.
    """
    path = small(tmp_path / "rows.sqlite")
    sound, truth = path.read_bytes(), everything(path)
    draw = random.Random(5)
    used = [position for position, byte in enumerate(sound) if byte]
    found: Counter[str] = Counter()
    for position in [*range(100), *draw.sample(used, 900), *draw.choices(range(len(sound)), k=200)]:
        changed = bytearray(sound)
        changed[position] ^= draw.randrange(1, 256)
        path.write_bytes(changed)
        found[outcome(path, truth)] += 1
    assert set(found) == {"same", "DamagedError", "ValueError"}
    assert found["DamagedError"] > 700, "most bytes that are used matter"


def outcome(path: Path, truth: object) -> str:
    try:
        read = everything(path)
    except ValueError as error:
        return type(error).__name__
    assert read == truth
    return "same"


@pytest.mark.parametrize("kind", ["truncated", "zeroed", "stale", "swapped"])
def test_lost_sectors_and_pages_are_found(tmp_path: Path, kind: str) -> None:
    """What disks do: the end is missing, a sector is zeros, a page is as it was earlier, or where another should be."""
    path = small(tmp_path / "rows.sqlite")
    truth, sound = everything(path), path.read_bytes()
    older = small(tmp_path / "older.sqlite", steps=4).read_bytes()
    size = 512 if kind == "zeroed" else 4096
    found: Counter[str] = Counter()
    for start in range(0, len(sound), size):
        page, end = sound[start : start + size], sound[start + size :]
        other = {"zeroed": bytes(size), "stale": older[start : start + size], "swapped": sound[-size:]}.get(kind, b"")
        path.write_bytes(sound[:start] + other + (b"" if kind == "truncated" else end))
        found[outcome(path, truth)] += page != other
    assert set(found) <= {"same", "DamagedError", "ValueError"}
    assert found["DamagedError"] >= 2


def test_a_damaged_log_gives_an_earlier_moment_and_no_other_number(tmp_path: Path) -> None:
    """SQLite ends a log where a frame's checksum is wrong: whole steps may be missing, and `digest` tells.

    Somebody reads all the while, and so the rows stay in the log.
    """
    store = Store(tmp_path / "rows.sqlite")
    reader = sqlite3.connect(tmp_path / "rows.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM rows").fetchall()
    moments: list[dict[str, object]] = [{}]
    for step in range(6):
        store.append(step, {"p": {"x": np.arange(3.0) + step}})
        moments.append({"rows": store.rows()["p"].keys(), "digest": store.digest(99)})
    assert len({str(moment["digest"]) for moment in moments[1:]}) == 6
    log = (tmp_path / "rows.sqlite-wal").read_bytes()
    database, draw = (tmp_path / "rows.sqlite").read_bytes(), random.Random(0)
    found: set[int] = set()
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        changed = bytearray(log)
        changed[draw.randrange(len(log))] ^= 1 << draw.randrange(8)
        (folder / "rows.sqlite").write_bytes(database)
        (folder / "rows.sqlite-wal").write_bytes(changed)
        try:
            after = Store(folder / "rows.sqlite", read_only=True)
        except ValueError:
            continue
        rows = after.rows().get("p", {})
        assert all(row["x"].tolist() == [step, step + 1, step + 2] for step, row in rows.items())
        if rows:
            assert {"rows": rows.keys(), "digest": after.digest(99)} == moments[len(rows)]
        found.add(len(rows))
    reader.close()
    assert len(found) > 2


def test_an_impossible_length_is_damage(tmp_path: Path) -> None:
    """SQLite reports it as a lack of memory, which it is not; found by changing bytes at random."""
    path = small(tmp_path / "rows.sqlite", steps=20)
    held, found = path.read_bytes(), set[str]()
    leaf = 7 * 4096  # of `rows`; its cells are at the end
    for at in range(leaf + 1500, leaf + 4000, 7):
        path.write_bytes(held[:at] + b"\xff" * 100 + held[at + 100 :])
        with pytest.raises(DamagedError) as caught, contextlib.closing(Store(path, read_only=True)) as store:
            store.rows()
        found.add(str(caught.value).partition("damaged: ")[2][:18])
    assert "a value in it decl" in found


def test_a_digest_is_of_the_rows_alone(tmp_path: Path) -> None:
    """Not of the order in which probes wrote, of what was dropped, or of what comes later; of each value, it is."""
    forth, back, other = Store(), Store(tmp_path / "rows.sqlite"), Store()
    for step, probe in [(0, "p"), (0, "q"), (1, "p")]:
        forth.append(step, {probe: {"x": step}})
        other.append(step, {probe: {"x": step + (probe == "q")}})
    back.append(1, {"p": {"x": 5}})
    back.drop_from(0)
    for step, probe in [(1, "p"), (0, "q"), (0, "p")]:
        back.append(step, {probe: {"x": step}})
    assert forth.digest(2) == back.digest(2)
    assert len({forth.digest(2), forth.digest(1), forth.digest(0), other.digest(2)}) == 4
    back.append(2, {"p": {"x": 1}})
    assert forth.digest(2) == back.digest(2)
    back.flush()
    assert (tmp_path / "rows.sqlite-wal").read_bytes() == b"", "all of it is in the file itself"
    back.verify()


def test_a_store_belongs_to_one_thread_and_says_so(tmp_path: Path) -> None:
    """SQLite's own error names thread numbers; ours says what to do. A closed store says so as well."""
    store = Store(tmp_path / "rows.sqlite")
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(RuntimeError, match=r"opened in another thread .* read_only=True"),
    ):
        pool.submit(store.rows).result()
    store.close()
    with pytest.raises(RuntimeError, match=r"closed database\. Open it anew"):
        store.rows()
    with pytest.raises(OSError, match="readonly"):
        Store(tmp_path / "rows.sqlite", read_only=True).append(0, {"p": {"x": 1}})


def test_a_store_of_another_version_is_not_read(tmp_path: Path) -> None:
    """An earlier one has no checksums: whether it is whole cannot be known."""
    path = small(tmp_path / "rows.sqlite")
    for version, words in ((0, "an earlier"), (3, "a later")):
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version = {version}")
        before = path.read_bytes()
        for read_only in (True, False):
            with pytest.raises(ValueError, match=rf"{words} version of clinometer: its format is {version}, and this"):
                Store(path, read_only=read_only)
        assert path.read_bytes() == before


def test_what_cannot_be_stacked_says_so() -> None:
    """A silent object array would break whoever reads it."""
    store = Store()
    store.append(0, {"p": {"x": np.zeros(2)}})
    store.append(1, {"p": {"x": np.zeros(3)}})
    with pytest.raises(ValueError, match="differs in shape"):
        store.read("p")
    with pytest.raises(ValueError, match="no rows of 'q'; there are p"):
        store.read("q")
