"""How far a study is and what failed. Nothing is written, and nothing waits for the processes that make the study."""

import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clinometer.runner.locks import is_locked
from clinometer.runner.records import RunRecord, read_records
from clinometer.store import DamagedError, Store
from clinometer.training.files import read_json
from clinometer.training.run_folder import check_name, is_done, run_folders, verify
from clinometer.training.study_file import refuse_other_formats

State = Literal["done", "running", "interrupted", "failed", "waiting", "damaged"]


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands."""

    folder: Path
    config: Mapping[str, Any]
    state: State
    worker: str  # host:pid of the process that makes it, or made it last; "" if unknown
    starts: int | None  # how often a process started or resumed it; None if unknown
    failures: int
    error: str  # the traceback of the last failure
    step: int | None  # the last step that has rows
    damage: str  # what is wrong with its files; empty if nothing is

    @property
    def reason(self) -> str:
        """The last line of the traceback."""
        return self.error.strip().rpartition("\n")[2]

    @property
    def log(self) -> Path:
        """The file with the whole traceback, once the run has failed for good."""
        return self.folder.with_suffix(".error.txt")


def status(study: Path) -> tuple[list[RunStatus], list[str]]:
    """Every run of a study by key, and a sentence on each record that is damaged.

    The runs' folders are the truth: those of runs that are done are compared with their digests, and the rows of those
    that wait to be gone on with are read. A run that is being made is not looked into further than its last step. Of a
    run whose record is damaged or lost, only the worker, the starts and the failures are unknown, and its config if it
    has not started.

    Args:
        study: The study's folder.

    Raises:
        ValueError: if it is not a study's folder, or one of another version's format.
    """
    if not (study / "runs").is_dir() and not (study / "records").is_dir():
        raise ValueError(f"{study} holds no runs: expected a study's folder.")
    refuse_other_formats(study)
    records, damaged = read_records(study)
    started = [folder.name for folder in run_folders(study)] if (study / "runs").is_dir() else []
    remarks = [f"{sentence} The run's folder says what is known of it." for sentence in damaged]
    return [_status(study, key, records.get(key)) for key in sorted({*records, *started})], remarks


def _status(study: Path, key: str, record: RunRecord | None) -> RunStatus:
    folder = study / "runs" / key
    state = _state(study, folder, record)
    step, damage = _last_step(folder, state)
    return RunStatus(
        folder,
        record.config if record else _config(folder),
        "damaged" if damage else state,
        record.worker if record else "",
        record.starts if record else None,
        record.failures if record else 0,
        record.error if record else "",
        step,
        damage,
    )


def _state(study: Path, folder: Path, record: RunRecord | None) -> State:
    if is_done(folder):
        return "done"
    if is_locked(study, folder.name):
        return "running"
    if record and record.state == "running" and record.worker.partition(":")[0] != socket.gethostname():
        return "running"  # as far as can be known here: the lock of another machine may not be seen
    if record and record.state == "failed":
        return "failed"
    return "interrupted" if folder.is_dir() else "waiting"


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        return read_json(folder / "config.json")
    except (OSError, ValueError):
        return {}


def _last_step(folder: Path, state: State) -> tuple[int | None, str]:
    """The last step that has rows, if there is any; and what is wrong with the run's files, if anything is."""
    try:
        if state == "done":
            verify(folder)
        elif (folder / "config.json").is_file():
            check_name(folder)
        with contextlib.closing(Store(folder / "rows.sqlite", read_only=True)) as store:
            if state not in ("done", "running"):
                store.verify()
            return store.last_step(), ""
    except DamagedError as error:
        return None, str(error)
    except (OSError, ValueError):  # not started, made this moment, or away with its disk
        return None, ""
