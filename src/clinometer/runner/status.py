"""How far a study is, and what failed: read, and nothing but read, also while it is made."""

import contextlib
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clinometer.runner.ledger import Entry, look
from clinometer.runner.locks import held
from clinometer.store import DamagedError, Store
from clinometer.training.files import read_json
from clinometer.training.run_folder import is_done, run_folders

State = Literal["done", "running", "interrupted", "failed", "waiting"]


@dataclass(frozen=True)
class RunStatus:
    """Where a run is."""

    folder: Path
    config: Mapping[str, Any]
    state: State
    worker: str  # host:pid of the process that makes it, or made it last; "" if nobody knows
    starts: int | None  # how often a process began with it, or went on; None if nobody knows
    failures: int
    error: str  # the traceback of the last failure
    step: int | None  # the last that has rows

    @property
    def reason(self) -> str:
        """The last line of the traceback."""
        return self.error.strip().rpartition("\n")[2]

    @property
    def log(self) -> Path:
        """Where the whole traceback is, once the run has failed for good."""
        return self.folder.with_suffix(".error.txt")


def status(study: Path) -> tuple[list[RunStatus], str]:
    """Every run of a study, and what is wrong with the study's table, if anything.

    The runs' folders are the truth: of a damaged table only the configs are missed of runs that have not begun.

    Args:
        study: The study's folder.

    Raises:
        ValueError: if it is none.
    """
    if not (study / "runs").is_dir() and not (study / "study.sqlite").is_file():
        raise ValueError(f"{study} holds no runs: expected a study's folder.")
    wrong = ""
    try:
        entries = {entry.key: entry for entry in look(study)}
    except (DamagedError, OSError) as error:
        entries, wrong = {}, f"{error} The table is left out; the runs' folders tell the rest."
    there = {folder.name: folder for folder in (run_folders(study) if (study / "runs").is_dir() else [])}
    keys = sorted(entries.keys() | there.keys())
    return [_run(study, key, entries.get(key)) for key in keys], wrong


def _run(study: Path, key: str, entry: Entry | None) -> RunStatus:
    folder = study / "runs" / key
    return RunStatus(
        folder,
        _config(folder, entry),
        _state(study, folder, entry),
        entry.worker if entry else "",
        entry.starts if entry else None,
        entry.failures if entry else 0,
        entry.error if entry else "",
        _step(folder),
    )


def _state(study: Path, folder: Path, entry: Entry | None) -> State:
    if is_done(folder):
        return "done"
    if held(study, folder.name):
        return "running"
    if entry and entry.state == "running" and entry.worker.partition(":")[0] != socket.gethostname():
        return "running"  # as far as can be known from here
    if entry and entry.state == "failed":
        return "failed"
    return "interrupted" if folder.is_dir() else "waiting"


def _config(folder: Path, entry: Entry | None) -> Mapping[str, Any]:
    try:
        return json.loads(entry.config) if entry else read_json(folder / "config.json")
    except (OSError, ValueError):
        return {}


def _step(folder: Path) -> int | None:
    try:
        with contextlib.closing(Store(folder / "rows.sqlite", read_only=True)) as store:
            return store.last_step()
    except (OSError, ValueError):  # not begun, made this moment, or damaged, which whoever goes on will say
        return None
