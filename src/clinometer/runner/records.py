"""What became of each run: `records/KEY.json`, one small sealed file a run, read by people and `clinometer status`.

The runs' folders are the truth, and a record that is lost or damaged is made again from them. A record is written by
rename, so that a reader finds the old one or the new one, and only by a process that holds the run's lock.
"""

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from clinometer.runner.locks import RunLocks
from clinometer.store import DamagedError
from clinometer.training.files import read_sealed, write_sealed
from clinometer.training.run_folder import RUN_NAME

State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run besides its folder.

    Example:
        >>> record = RunRecord("00ff00ff00ff00ff", {"lr": 0.1}).started("here:1").failed("ValueError: no such data")
        >>> record.state, record.starts, record.failures
        ('failed', 1, 1)
    """

    key: str
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])  # as in config.json
    state: State = "waiting"
    worker: str = ""  # host:pid of the process that makes the run, or made it last
    starts: int = 0  # how often a process started it, or resumed it
    failures: int = 0  # how often such a process ended without a result
    error: str = ""  # the traceback of the last failure

    def started(self, worker: str) -> "RunRecord":
        """The record once a process has started or resumed the run."""
        return replace(self, state="running", worker=worker, starts=self.starts + 1)

    def failed(self, error: str) -> "RunRecord":
        """The record once that process has ended without a result."""
        return replace(self, state="failed", failures=self.failures + 1, error=error)


def record_file(study: Path, key: str) -> Path:
    """Where a run's record lies."""
    return study / "records" / f"{key}.json"


def write_record(study: Path, record: RunRecord) -> None:
    """Write a run's record, whole or not at all. The caller holds the run's lock."""
    path = record_file(study, record.key)
    write_sealed(path, dataclasses.asdict(record), durable=False)  # a record that a power cut takes is made again
    for stray in path.parent.glob(f"{path.name}.*.partial"):  # of a process that was killed while it wrote
        stray.unlink(missing_ok=True)


def read_record(study: Path, key: str) -> RunRecord:
    """A run's record.

    Raises:
        DamagedError: if it is not what was written.
        OSError: if it is not there, or cannot be read.
    """
    path = record_file(study, key)
    found = read_sealed(path)
    expected = dataclasses.asdict(RunRecord(key))
    sound = found.keys() == expected.keys() and all(type(found[name]) is type(expected[name]) for name in expected)
    if not sound or found["key"] != key or found["state"] not in get_args(State):
        raise DamagedError(f"{path} is damaged: it is not the record of the run {key}.")
    return RunRecord(**found)


def read_records(study: Path) -> tuple[dict[str, RunRecord], list[str]]:
    """All records of a study by key, and a sentence on each that cannot be read. Nothing is changed."""
    records: dict[str, RunRecord] = {}
    unreadable: list[str] = []
    for path in sorted((study / "records").glob("*.json")):
        if RUN_NAME.fullmatch(path.stem):
            try:
                records[path.stem] = read_record(study, path.stem)
            except (DamagedError, OSError) as error:
                unreadable.append(str(error))
    return records, unreadable


def prepare_records(
    study: Path,
    configs: Mapping[str, Mapping[str, Any]],
    done: Collection[str],
    locks: RunLocks,
    notify: Callable[[str], None],
) -> None:
    """Give every run a record that says where it stands now, before runs are started.

    A run that failed before waits again, with no failures. A damaged record is kept beside the new one. Runs that
    another process makes are left to it.

    Args:
        study: The study's folder.
        configs: The runs' keys to their configs.
        done: The keys of the runs that are finished and intact.
        locks: This process's.
        notify: Called with a sentence on each record that is damaged, and on those that are lost.
    """
    lost: list[str] = []
    for key, config in configs.items():
        with locks.attempt(key) as acquired:
            if not acquired:
                continue
            before = _read_or_set_aside(study, key, notify)
            if before is None and (study / "runs" / key).is_dir():
                lost.append(key)
            now = before or RunRecord(key, json.loads(json.dumps(config)))
            if key in done:
                now = replace(now, state="done")
            elif now.state in ("failed", "done"):  # a run that was done, and is damaged or made otherwise
                now = replace(now, state="waiting", failures=0)
            if now != before:
                write_record(study, now)
    if lost:
        notify(f"{study / 'records'} lacked the records of {_enumerated(lost)}. They are made again.")


def note_start(study: Path, key: str, config: Mapping[str, Any], worker: str) -> None:
    """Record that a process starts a run, or resumes it. The caller holds the run's lock."""
    write_record(study, _known(study, key, config).started(worker))


def note_failure(study: Path, key: str, config: Mapping[str, Any], error: str, retries: int) -> RunRecord:
    """Record that a process ended without a run's result; the run waits again if it has retries left."""
    record = _known(study, key, config).failed(error)
    if record.failures <= retries:
        record = replace(record, state="waiting")
    write_record(study, record)
    return record


def note_done(study: Path, key: str, config: Mapping[str, Any]) -> None:
    """Record that a run is finished."""
    record = _known(study, key, config)
    if record.state != "done":
        write_record(study, replace(record, state="done"))


def _known(study: Path, key: str, config: Mapping[str, Any]) -> RunRecord:
    """A run's record, or a new one where it has none that can be read."""
    try:
        return read_record(study, key)
    except (DamagedError, FileNotFoundError):
        return RunRecord(key, json.loads(json.dumps(config)))


def _read_or_set_aside(study: Path, key: str, notify: Callable[[str], None]) -> RunRecord | None:
    try:
        return read_record(study, key)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        path = record_file(study, key)
        kept = path.replace(path.with_name(f"{path.name}.damaged"))
        notify(f"{error} It is kept as {kept.name}, and made again.")
        return None


def _enumerated(keys: list[str]) -> str:
    shown = ", ".join(keys[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more runs"
