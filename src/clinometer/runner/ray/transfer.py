"""Sends a run's files between machines: which files, and how they are checked and written on arrival."""

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from clinometer.store import DamagedError
from clinometer.training.files import write_bytes
from clinometer.training.run_folder import FILES, is_done

Parcel = Mapping[str, bytes]  # name in the run's folder to content, in the order in which they are written

_CHECKPOINT = re.compile(r"checkpoint/\d{9}-([0-9a-f]{16})\.safetensors")
_CHECKPOINTS = 2  # that are kept, as in the folder where the run is made


def pack(folder: Path, sent: str = "") -> Parcel:
    """The result of the run in a folder, or else its last checkpoint and the rows that go with it.

    Args:
        folder: The run's; a process may be making it.
        sent: The name of the checkpoint that was sent last; nothing is packed until there is another.
    """
    try:
        if is_done(folder):
            return {name: (folder / name).read_bytes() for name in (*FILES, "done.json")}
        for file in sorted(folder.glob("checkpoint/*.safetensors"), reverse=True):
            if file.name == sent:
                return {}
            checkpoint = file.read_bytes()
            if file.stem.partition("-")[2] == _digest(checkpoint)[:16]:
                # The rows after the checkpoint: those up to it are among them, and later ones are made again.
                rows = _rows(folder / "rows.sqlite")
                facts = {name: (folder / name).read_bytes() for name in FILES if name != "rows.sqlite"}
                return {**facts, "rows.sqlite": rows, f"checkpoint/{file.name}": checkpoint}
    except (OSError, sqlite3.Error):  # replaced by the next checkpoint or the result meanwhile; or damaged
        return {}
    return {}


def unpack(parcel: Parcel, folder: Path) -> None:
    """Write a parcel into a run's folder, so that the run can be resumed wherever this is interrupted.

    Raises:
        DamagedError: if a file is not one of a run's, or not what was packed.
    """
    _check(parcel, folder)
    for name, data in parcel.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name == "done.json":
            shutil.rmtree(folder / "checkpoint", ignore_errors=True)
        if name == "rows.sqlite":  # the store that is there is older, and so is its log
            for log in ("rows.sqlite-wal", "rows.sqlite-shm"):
                (folder / log).unlink(missing_ok=True)
        write_bytes(folder / name, data)
    if new := last_checkpoint(parcel):
        found = sorted(file.name for file in folder.glob("checkpoint/*.safetensors"))
        kept = [name for name in found if name <= new][-_CHECKPOINTS:]
        for name in set(found) - set(kept):  # a run that had to start again is not as far as it was
            (folder / "checkpoint" / name).unlink()


def last_checkpoint(parcel: Parcel) -> str:
    """The name of its checkpoint; empty if it has none."""
    return max((Path(name).name for name in parcel if _CHECKPOINT.fullmatch(name)), default="")


def _check(parcel: Parcel, folder: Path) -> None:
    for name, data in parcel.items():
        checkpoint = _CHECKPOINT.fullmatch(name)
        if not checkpoint and name not in (*FILES, "done.json"):
            raise DamagedError(f"{name!r} came for the run in {folder}: no run leaves such a file behind.")
        if checkpoint and checkpoint[1] != _digest(data)[:16]:
            raise DamagedError(f"{name} came damaged for the run in {folder}.")
    if "done.json" in parcel:
        try:
            digests = json.loads(parcel["done.json"])["files"]
            whole = list(parcel)[-1] == "done.json" and digests == {name: _digest(parcel[name]) for name in FILES}
        except (ValueError, LookupError, TypeError, RecursionError):
            whole = False
        if not whole:
            raise DamagedError(f"the result of the run in {folder} came damaged.")


def _rows(path: Path) -> bytes:
    """A copy of the store as one file; another process may be writing to it."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(name, uri=True)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        data = copy.serialize()
    return data[:18] + b"\x01\x01" + data[20:]  # journal mode: these two bytes say WAL, and a copy has no log


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
