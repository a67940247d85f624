"""What a store holds, read and checked: a value that is not whole, or not there, is an error and never a number."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np

from clinometer.store.cells import checksum, decode, kind_of
from clinometer.store.errors import UnsoundError

FIRST, LAST = -(2**63), 2**63 - 1  # SQLite's least and largest integer
_LONGEST = 2**24  # characters of the facts about a run

Value = tuple[int, str, str, np.ndarray[Any, Any]]  # step, probe, name, array
Outline = dict[str, dict[str, list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]]]  # see Store.outline


def values(
    db: sqlite3.Connection, probe: str | None, start: int, size: int, wanted: str | None = None
) -> Iterator[Value]:
    """The values of a probe, or of all, from a step on; and that no row from there on is lost, wanted or not.

    Args:
        db: A store's connection, in a transaction.
        probe: Of this probe only, or None.
        start: From this step on.
        size: How long the file is, which bounds what can be in it.
        wanted: The name of the probe's one field that is asked for, or None.
    """
    fields, kinds = names(db, "fields"), names(db, "kinds")
    lacking: dict[int, int] = dict(db.execute("SELECT step, fields FROM steps WHERE step >= ?", (start,)))
    query = (
        "SELECT step, field, kind, checksum, iif(:probe IS NULL OR field IN (SELECT id FROM fields WHERE "
        "probe = :probe AND coalesce(name = :wanted, 1)), data, NULL) FROM rows WHERE step >= :start "
        "ORDER BY step, field"
    )
    last = (FIRST, 0)
    for step, field, kind, told, data in db.execute(query, {"probe": probe, "start": start, "wanted": wanted}):
        try:
            (owner, name), what = fields[field], kinds[kind]
            lacking[step] -= 1
            if not last < (last := (step, field)):  # a damaged tree can lead to the same row again and again
                raise ValueError("it is there twice")
            if probe is not None and (owner != probe or wanted not in (None, name)):
                continue
            if (size := size - len(data)) < 0:
                raise ValueError("there is more data than the file can hold")
            array = decode(*kind_of(*what), data)
            if checksum(step, owner, name, *what, data=data) != told:
                raise ValueError("it does not match its checksum")
        except (KeyError, TypeError, ValueError) as error:
            where = ".".join(fields.get(field, ("field", f"{field!s:.20}")))
            raise UnsoundError(f"{where} at step {step!s:.20}: {error}") from error
        yield step, owner, name, array
    if lost := [step for step, count in lacking.items() if count]:
        raise UnsoundError(f"at step {lost[0]} values are lost")


def names(db: sqlite3.Connection, table: str) -> dict[int, tuple[str, str]]:
    """The rows of `fields` (probe, name) or `kinds` (dtype, shape), by id."""
    found: dict[int, tuple[str, str]] = {}
    for number, first, second, told in db.execute(f"SELECT * FROM {table} ORDER BY id"):
        try:
            sound = checksum(table, number, first, second) == told and number not in found
        except TypeError:  # bytes, where there was text
            sound = False
        if not sound:
            raise UnsoundError(f"number {number} of its {table} does not match its checksum")
        found[number] = first, second
    return found


def name_id(db: sqlite3.Connection, table: str, *told: str) -> int:
    """The id of a row of `fields` or `kinds`, made where it is missing."""
    first, second = {"fields": ("probe", "name"), "kinds": ("dtype", "shape")}[table]
    known = db.execute(f"SELECT id FROM {table} WHERE {first} = ? AND {second} = ?", told).fetchone()
    if known:
        return known[0]
    number = db.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0]
    db.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", (number, *told, checksum(table, number, *told)))
    return number


def probes(db: sqlite3.Connection) -> set[str]:
    """The probes that have rows."""
    fields, counts = names(db, "fields"), dict(db.execute("SELECT field, count(*) FROM rows GROUP BY field"))
    if unknown := counts.keys() - fields.keys():
        raise UnsoundError(f"field {unknown.pop()!s:.20} has no name")
    if sum(counts.values()) != db.execute("SELECT coalesce(sum(fields), 0) FROM steps").fetchone()[0]:
        raise UnsoundError("values are lost")
    return {fields[field][0] for field in counts}


def outline(db: sqlite3.Connection) -> Outline:
    """The type, shape and steps of all values, from what stands beside the data, which is left unread."""
    fields, kinds = names(db, "fields"), names(db, "kinds")
    query = "SELECT field, kind, count(*), group_concat(step) FROM rows GROUP BY field, kind ORDER BY field"
    found: Outline = {}
    count = 0
    for field, kind, number, steps in db.execute(query):
        try:
            (probe, name), (dtype, sides) = fields[field], kind_of(*kinds[kind])
            at = np.unique(np.array(steps.split(","), dtype=np.int64))
        except (KeyError, ValueError, OverflowError) as error:
            raise UnsoundError(f"field {field!s:.20} is of no kind or step that can be: {error}") from error
        found.setdefault(probe, {}).setdefault(name, []).append((np.broadcast_to(np.zeros((), dtype), sides), at))
        count += number if len(at) == number else 0
    if count != db.execute("SELECT coalesce(sum(fields), 0) FROM steps").fetchone()[0]:
        raise UnsoundError("values are lost")
    return found


def steps(db: sqlite3.Connection) -> set[int]:
    """The steps that have rows."""
    return {step for (step,) in db.execute("SELECT step FROM steps")}


def last_step(db: sqlite3.Connection) -> int | None:
    """The last step that has rows."""
    last, counted = db.execute("SELECT (SELECT max(step) FROM rows), (SELECT max(step) FROM steps)").fetchone()
    if last != counted:
        raise UnsoundError(f"its last step is {counted!s:.20}, and the last that it has is {last!s:.20}")
    return last


def facts(db: sqlite3.Connection) -> dict[str, Any]:
    """The facts about the run. They are one row with one checksum, since one of many that is lost is not missed."""
    try:
        ((text, told),) = db.execute("SELECT facts, checksum FROM meta LIMIT 2")
        if len(text) > _LONGEST or checksum("meta", text) != told:
            raise ValueError("they do not match their checksum")
        return dict(json.loads(text).items())
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnsoundError(f"the facts about the run cannot be read: {error}") from error


def set_facts(db: sqlite3.Connection, found: dict[str, Any]) -> None:
    """Write the facts about the run, all of them."""
    text = json.dumps(found)
    if len(text) > _LONGEST:
        raise ValueError(f"facts about a run have at most {_LONGEST:,} characters as JSON; these have {len(text):,}.")
    db.execute("UPDATE meta SET facts = ?, checksum = ?", (text, checksum("meta", text)))


def digest(db: sqlite3.Connection, before: int = LAST) -> str:
    """What tells the rows before a step from any others: see `Store.digest`."""
    query = (
        "SELECT count(*), coalesce(sum(checksum), 0), coalesce(sum((checksum >> 16) * (checksum & 65535)), 0) "
        "FROM rows WHERE step < ?"
    )
    return "{}-{:x}-{:x}".format(*db.execute(query, (before,)).fetchone())
