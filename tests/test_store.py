import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clinometer import Store, database

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
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
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
    ["UPDATE kinds SET dtype = 'O'", "UPDATE kinds SET shape = '[1000000000]'", "UPDATE rows SET data = x'00'"],
)
def test_a_damaged_store_is_named(tmp_path: Path, damage: str) -> None:
    """An object dtype would be unpickled and a wrong shape read past the end, were they believed."""
    store = Store(tmp_path / "rows.sqlite")
    store.append(0, {"p": {"x": np.arange(3)}})
    store.close()
    with sqlite3.connect(tmp_path / "rows.sqlite") as db:
        db.execute(damage)
    db.close()
    with pytest.raises(ValueError, match="damaged"):
        Store(tmp_path / "rows.sqlite").read("p")


def test_what_cannot_be_stacked_says_so() -> None:
    """A silent object array would break whoever reads it."""
    store = Store()
    store.append(0, {"p": {"x": np.zeros(2)}})
    store.append(1, {"p": {"x": np.zeros(3)}})
    with pytest.raises(ValueError, match="differs in shape"):
        store.read("p")
    with pytest.raises(ValueError, match="no rows of 'q'; there are p"):
        store.read("q")
