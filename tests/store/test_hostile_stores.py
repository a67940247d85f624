"""Stores that were made to do harm: none runs anything, takes much memory or time, or is read as numbers."""

import sqlite3
import tracemalloc
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import load_store, make_store

from clinometer import Store
from clinometer.store import DamagedError, checked
from clinometer.store.cells import checksum

STATEMENTS = [
    "CREATE VIEW v AS SELECT * FROM rows",
    "CREATE TRIGGER t AFTER INSERT ON rows BEGIN DELETE FROM rows; END",
    "CREATE TRIGGER t BEFORE UPDATE ON meta BEGIN SELECT load_extension('x'); END",
    "CREATE INDEX i ON rows (data)",
    "CREATE INDEX i ON rows (length(data)) WHERE zeroblob(100) IS NOT NULL",
    "CREATE TABLE other (x)",
    "CREATE VIRTUAL TABLE f USING fts5(x)",
    "CREATE TABLE g (x, y GENERATED ALWAYS AS (zeroblob(1000000000)))",
    "ALTER TABLE rows ADD COLUMN more",
    "ALTER TABLE meta RENAME COLUMN facts TO fact",
    "DROP TABLE steps",
    "DROP TABLE rows; CREATE VIEW rows AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT x AS step, 1 AS field, 1 AS kind, 1 AS checksum, zeroblob(100000000) AS data FROM c",
    "DROP TABLE steps; CREATE TABLE steps (step INTEGER PRIMARY KEY, fields INTEGER DEFAULT (abs(random())))",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE meta (facts, checksum, x)' "
    "WHERE name = 'meta'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'nonsense' WHERE name = 'rows'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 1 WHERE name = 'rows'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 99999 WHERE name = 'meta'",
    "PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE type = 'index'",
    "ANALYZE",
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_a_store_with_another_schema_is_refused_and_left(statement: str, tmp_path: Path) -> None:
    """Views and triggers are programs. None is run: the file is compared byte for byte afterwards."""
    path = tmp_path / "rows.sqlite"
    make_store(path)
    with closing(sqlite3.connect(path)) as db, warnings.catch_warnings():
        try:
            db.executescript(statement)
        except sqlite3.OperationalError as error:
            pytest.skip(f"this SQLite cannot make it: {error}")
    held = path.read_bytes()
    for read in (load_store, lambda path: Store(path).verify()):
        with pytest.raises(DamagedError, match="is damaged"):
            read(path)
    if "rootpage" not in statement:  # which is seen only on reading
        assert path.read_bytes() == held


def cells(path: Path, *, dtype: str = "<i8", shape: str = "[1]", value: bytes = bytes(8), name: Any = "x") -> Path:
    """A store of one value, made by hand with true checksums: what an attacker would do."""
    Store(path).close()
    with closing(sqlite3.connect(path)) as db, db:
        told = checksum(0, "p", name, dtype, shape, data=value) if isinstance(name, str) else 0
        field = checksum("fields", 1, "p", name) if isinstance(name, str) else 0
        db.execute("INSERT INTO fields VALUES (1, 'p', ?, ?)", (name, field))
        db.execute("INSERT INTO kinds VALUES (1, ?, ?, ?)", (dtype, shape, checksum("kinds", 1, dtype, shape)))
        db.execute("INSERT INTO rows VALUES (0, 1, 1, ?, ?)", (told, value))
        db.execute("INSERT INTO steps VALUES (0, 1)")
    return path


def test_a_store_made_by_hand_is_read_if_it_is_honest(tmp_path: Path) -> None:
    """Else the next test would refuse for another reason than it says."""
    assert Store(cells(tmp_path / "rows.sqlite")).read("p")["x"].tolist() == [[0]]


@pytest.mark.parametrize(
    "hostile",
    [
        *(
            {"dtype": each}
            for each in ("O", "|O", "|V8", "<M8[s]", "|S8", "<c16", "<U1000000000", "<i9", "<i8,<i8", "i8")
        ),
        *({"dtype": each} for each in ("{'names': ['a'], 'formats': ['O']}", "<U0", "", "<f" + "9" * 1000, "<i8\0")),
        *({"shape": each} for each in ("[-1]", "[1, -1]", "[1e0]", "[NaN]", "{}", "1", "", "[true]", '["1"]', "[1,1]")),
        *({"shape": each} for each in ("[4294967297]", "[9223372036854775807, 2]", "[18446744073709551617]")),
        *({"shape": each} for each in ("[" * 100_000, "[" * 100_000 + "]" * 100_000, "[" + "1, " * 99 + "1]")),
        *({"shape": each, "value": b""} for each in ("[0, 999999999999]", "[999999999999, 0]", "[0, -5]")),
        {"value": b""},
        {"value": bytes(7)},
        {"value": "12345678"},
        {"dtype": "<U2", "value": b"\xff" * 8},
        {"name": b"x"},
        {"name": 5},
    ],
    ids=lambda hostile: str(hostile)[:30],
)
def test_types_and_shapes_are_not_believed(hostile: dict[str, Any], tmp_path: Path) -> None:
    """Refused with DamagedError before anything of the declared size is made: Python's own count of memory tells."""
    if "value" in hostile and isinstance(hostile["value"], str):
        path = cells(tmp_path / "rows.sqlite")
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE rows SET data = ?", (hostile["value"],))
    else:
        path = cells(tmp_path / "rows.sqlite", **hostile)
    store = Store(path, read_only=True)
    tracemalloc.start()
    try:
        for read in (store.rows, lambda: store.read("p"), store.verify):
            with pytest.raises(DamagedError, match=r"rows\.sqlite is damaged"):
                read()
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
        store.close()


@pytest.mark.parametrize(
    "facts",
    [
        "[" * 100_000,
        "[1]",
        "5",
        "null",
        "",
        "{",
        '{"a": ' + "9" * 5_000 + "}",
        b"{}",
        b"\xff\xfe",
        7,
        "{}" + " " * 2**24,
    ],
    ids=lambda facts: str(facts)[:10],
)
def test_facts_are_an_object_or_refused(facts: Any, tmp_path: Path) -> None:
    """With a true checksum, so that only what it says can be at fault; deep nesting would end the interpreter."""
    Store(tmp_path / "rows.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as db, db:
        db.execute("UPDATE meta SET facts = ?, checksum = ?", (facts, checksum("meta", str(facts))))
    store = Store(tmp_path / "rows.sqlite", read_only=True)
    for read in (lambda: store.meta, store.verify):
        with pytest.raises(DamagedError, match="the facts about the run cannot be read"):
            read()
    store.close()


def branching(path: Path, depth: int, width: int) -> None:
    """Make the tree of `steps` one in which each page leads `width` times to the next: width to the depth rows."""
    make_store(path)
    held = path.read_bytes()
    pages, size = len(held) // 4096, 4096
    with closing(sqlite3.connect(path)) as db:
        (leaf,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'steps'").fetchone()
        db.executescript(
            f"PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = {pages + 1} WHERE name = 'steps'"
        )
    held = path.read_bytes()
    for level in range(depth):
        child = leaf if level == depth - 1 else pages + level + 2
        cells = [child.to_bytes(4, "big") + b"\x63" for _ in range(width)]
        start = size - 5 * width
        pointers = b"".join((start + 5 * i).to_bytes(2, "big") for i in range(width))
        head = b"\x05\0\0" + width.to_bytes(2, "big") + start.to_bytes(2, "big") + b"\0" + child.to_bytes(4, "big")
        held += (head + pointers).ljust(start, b"\0") + b"".join(cells)
    counted = (pages + depth).to_bytes(4, "big")
    path.write_bytes(held[:28] + counted + held[32:92] + held[24:28] + held[96:])


def test_a_tree_that_branches_without_end_is_given_up(tmp_path: Path) -> None:
    """A tenth of a megabyte that holds 100 to the 18th rows: SQLite alone would count until the sun is cold."""
    path = tmp_path / "rows.sqlite"
    branching(path, 18, 100)
    assert path.stat().st_size < 2e5
    with closing(Store(path, read_only=True)) as store:
        for read in (store.probes, store.rows, store.verify):
            with pytest.raises(DamagedError, match=r"is damaged: (interrupted|On tree page .* out of order)"):
                read()


def test_a_store_cannot_hold_more_than_its_file() -> None:
    """Values that share pages would be read once each: told to be in a file of 100 bytes, 10 of 80 are refused."""
    store = Store()
    for step in range(10):
        store.append(step, {"p": {"x": np.arange(10.0)}})
    with store._db.moment() as db:
        assert len(list(checked.values(db, None, checked.FIRST, 800))) == 10
    with pytest.raises(DamagedError, match="more data than the file can hold"), store._db.moment() as db:
        list(checked.values(db, None, checked.FIRST, 100))


def test_names_are_text_to_sqlite_and_to_the_file_system(tmp_path: Path) -> None:
    """Each goes in, comes out as it was, and nothing is made beside the store."""
    names = ["'; DROP TABLE rows; --", '"', "../../x", "/etc/passwd", "a\0b", "%s{0}", "rows", "step ", "\ufeff", "🎉"]
    path = tmp_path / "in" / "rows.sqlite"
    store = Store(path)
    store.append(0, {name: dict.fromkeys(names, 1.5) for name in names})
    store.set_meta(**{name: name for name in names})
    assert store.probes() == sorted(names)
    assert all(set(store.read(name)) == {"step", *names} for name in names)
    assert store.meta == {name: name for name in names}
    store.verify()
    assert [each.name for each in tmp_path.iterdir()] == ["in"]
    store.close()
