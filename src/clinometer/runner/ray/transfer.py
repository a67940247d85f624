"""What of a run's folder travels between machines, and how it is unpacked there: whole, and under no other name."""

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

Parcel = Mapping[str, bytes]  # name in the run's folder -> content; in the order in which they are to be written

_CHECKPOINT = re.compile(r"checkpoint/\d{9}-([0-9a-f]{16})\.safetensors")
_KEPT = 2  # checkpoints, as in the folder where the run is made


def packed(folder: Path, known: str = "") -> Parcel:
    """What the run in a folder has come to: its result, or else its last checkpoint and the rows that go with it.

    Args:
        folder: The run's; it may be in work.
        known: The name of the checkpoint that travelled last; nothing is packed before there is another.
    """
    try:
        if is_done(folder):
            return {name: (folder / name).read_bytes() for name in (*FILES, "done.json")}
        for file in sorted(folder.glob("checkpoint/*.safetensors"), reverse=True):
            if file.name == known:
                return {}
            checkpoint = file.read_bytes()
            if file.stem.partition("-")[2] == _digest(checkpoint)[:16]:
                # The rows after the checkpoint: those up to it are among them, and later ones are made again.
                rows = _rows(folder / "rows.sqlite")
                facts = {name: (folder / name).read_bytes() for name in FILES if name != "rows.sqlite"}
                return {**facts, "rows.sqlite": rows, f"checkpoint/{file.name}": checkpoint}
    except (OSError, sqlite3.Error):  # overtaken by the next checkpoint, or by the end; or damaged, and of no help
        return {}
    return {}


def unpack(parcel: Parcel, folder: Path) -> None:
    """Write a parcel into a run's folder, so that whatever interrupts it leaves a run that can be gone on with.

    Raises:
        DamagedError: if it holds what no run leaves behind, or something else than what was packed.
    """
    _check(parcel, folder)
    for name, data in parcel.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if name == "done.json":
            shutil.rmtree(folder / "checkpoint", ignore_errors=True)
        if name == "rows.sqlite":  # what is there is older, and so is its log
            for log in ("rows.sqlite-wal", "rows.sqlite-shm"):
                (folder / log).unlink(missing_ok=True)
        write_bytes(folder / name, data)
    if new := last_checkpoint(parcel):
        there = sorted(file.name for file in folder.glob("checkpoint/*.safetensors"))
        kept = [name for name in there if name <= new][-_KEPT:]
        for name in set(there) - set(kept):  # a run that had to begin anew is not as far as it was
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
            told = json.loads(parcel["done.json"])["files"]
            whole = list(parcel)[-1] == "done.json" and told == {name: _digest(parcel[name]) for name in FILES}
        except (ValueError, LookupError, TypeError, RecursionError):
            whole = False
        if not whole:
            raise DamagedError(f"the result of the run in {folder} came damaged.")


def _rows(path: Path) -> bytes:
    """The store as one file, as of this moment, while another process writes to it."""
    name = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(name, uri=True)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        data = copy.serialize()
    return data[:18] + b"\x01\x01" + data[20:]  # two bytes would ask for a log beside it, which a copy has not


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
