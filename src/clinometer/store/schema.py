"""The tables of a store, and what tells its file from other people's."""

import contextlib
import functools
import sqlite3

from clinometer.store.cells import checksum

APPLICATION_ID = 0x434C494E  # "CLIN": tells our files from other people's
VERSION = 2
# Checksums come before the data, so that reading them alone leaves long data unread.
_SCHEMA = """
CREATE TABLE meta (facts TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE fields (id INTEGER PRIMARY KEY, probe TEXT NOT NULL, name TEXT NOT NULL, checksum INTEGER NOT NULL,
    UNIQUE (probe, name));
CREATE TABLE kinds (id INTEGER PRIMARY KEY, dtype TEXT NOT NULL, shape TEXT NOT NULL, checksum INTEGER NOT NULL,
    UNIQUE (dtype, shape));
CREATE TABLE steps (step INTEGER PRIMARY KEY, fields INTEGER NOT NULL);
CREATE TABLE rows (
    step INTEGER NOT NULL, field INTEGER NOT NULL REFERENCES fields, kind INTEGER NOT NULL REFERENCES kinds,
    checksum INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (step, field)) WITHOUT ROWID;
"""


def make_tables(db: sqlite3.Connection) -> None:
    """Make the tables, unless another process was first."""
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    if not schema_of(db):  # another process may have been first
        for statement in (*_SCHEMA.split(";")[:-1], f"PRAGMA application_id = {APPLICATION_ID}"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("INSERT INTO meta VALUES ('{}', ?)", (checksum("meta", "{}"),))
    db.execute("COMMIT")


def schema_of(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Each table's type, name and definition."""
    return db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid LIMIT 20").fetchall()


@functools.cache
def our_schema() -> list[tuple[str, ...]]:
    """The same of a store that was just made."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(_SCHEMA)
        return schema_of(db)
