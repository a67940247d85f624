"""Reads finished runs: the one place that opens a run's files after it has ended."""

import contextlib
import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.probes.field import Declared, declared_in
from clinometer.readable.results import readable
from clinometer.results.factors import fields
from clinometer.results.layouts import Layouts, layouts
from clinometer.store import DamagedError, Store, Table
from clinometer.training.files import digest_of, read_sealed, read_small
from clinometer.training.run_folder import FILES, check_name, is_done, run_folders, seconds_of, verify
from clinometer.training.study_file import refuse_other_formats

Rows = Mapping[str, Mapping[int, Table]]  # probe to step to field to array
Values = np.ndarray[Any, Any]
Stamps = tuple[tuple[int, int, int], ...]  # of each file: its inode, size and time of change

_PLACES = ("python", "processor", "device", "commit")


@readable
@dataclass(frozen=True)
class FinishedRun:
    """A run that finished or diverged. All of its files are compared with their digests before anything is read.

    Nothing is kept between two reads but the run's config, facts and layouts, so make a new object after a run was made
    again. Files that have changed between two reads are compared once more.
    """

    folder: Path
    config: dict[str, Any]
    facts: Mapping[str, Any]  # about the run as a whole, from its store
    _stamps: list[Stamps] = field(default_factory=list[Stamps], repr=False, compare=False)  # when last compared

    @classmethod
    def read(cls, folder: Path) -> "FinishedRun":
        """The run in a folder that holds `done.json`.

        Cost: every file is read once, to compare it with its digest.

        Args:
            folder: The run's folder.

        Raises:
            DamagedError: if a file is not what was written, or the folder holds another run; the message names it.
            ValueError: if a file cannot be read; the message names the folder.
        """
        with reading(folder):
            stamps = _stamps(folder)
            verify(folder)
            config = read_config(folder)
            with contextlib.closing(Store(folder / "rows.sqlite", read_only=True)) as store:
                return cls(folder, config, store.meta, [stamps])

    @property
    def diverged_at(self) -> int | None:
        """The step at which it diverged, or None."""
        return self.facts.get("diverged_at")

    @property
    def declared(self) -> Declared:
        """What its probes declare of their fields."""
        return declared_in(self.facts)

    @property
    def seconds(self) -> float | None:
        """How long it takes on the machine that made it, as one process; None where that is not known."""
        with self._reading():
            return seconds_of(self.folder)

    @property
    def environment(self) -> dict[str, Any]:
        """Where and with what it was made."""
        with self._reading():
            return _object(self.folder, "environment.json")

    @property
    def fingerprint(self) -> Any:
        """The code, data and versions that made it; None if it does not say."""
        return self.environment.get("fingerprint")

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the packages that made it, and `python`, `processor`, `device` and `commit`."""
        return versions_of(self.environment)

    @cached_property
    def layouts(self) -> Layouts:
        """What its rows look like, by probe."""
        with self._reading(), contextlib.closing(self._store()) as store:
            return layouts(store)

    def rows(self, probe: str | None = None, field: str | None = None) -> Rows:
        """The rows of all probes, of one, or of one with one field, by step."""
        with self._reading(), contextlib.closing(self._store()) as store:
            return store.rows(probe, field)

    def column(self, probe: str, field: str) -> Values:
        """A field of a probe's rows, stacked along the step, shape (rows, ...).

        Raises:
            ValueError: if no row has it, some rows lack it, or its shape differs between steps.
        """
        seen = self.layouts.get(probe, ())
        shapes = {layout.row[field].shape if field in layout.row else None for layout in seen}
        if shapes <= {None}:
            there = dict.fromkeys(name for layout in seen for name in layout.row) if seen else self.layouts
            what = f"{probe}.{field}" if seen else repr(probe)
            raise ValueError(f"no rows of {what} in {self.folder}; there are {', '.join(there) or 'none'}.")
        if len(shapes) > 1:
            raise ValueError(
                f"{probe}.{field} differs in shape between steps of {self.folder}, or is missing at some: cannot stack "
                "it. Store(path).rows() has each row as it was written, and clinometer.load pads them."
            )
        return np.stack([row[field] for row in self.rows(probe, field)[probe].values()])

    def first_row(self, probe: str) -> Table:
        """The probe's first row; empty if it has none."""
        return next(iter(self.rows(probe).get(probe, {}).values()), {})

    @contextlib.contextmanager
    def _reading(self) -> Generator[None]:
        """Reading one of its files, which are those that were compared with their digests."""
        with reading(self.folder):
            if (now := _stamps(self.folder)) not in self._stamps:
                verify(self.folder)
                self._stamps[:] = [now]
            yield

    def _store(self) -> Store:
        return Store(self.folder / "rows.sqlite", read_only=True)


@readable
@dataclass(frozen=True)
class FoundRuns:
    """The runs in a study's folder."""

    finished: tuple[FinishedRun, ...]
    unfinished: tuple[Path, ...]  # folders
    damaged: Mapping[Path, ValueError]  # folder to what is wrong with it

    def intact(self) -> tuple[FinishedRun, ...]:
        """The finished runs; the ValueError of the first damaged one, if there is any."""
        for error in self.damaged.values():
            raise error
        return self.finished


def find_runs(study: Path, keys: Iterable[str] | None = None) -> FoundRuns:
    """The runs in a study's folder, by whether they are finished and intact.

    Args:
        study: The study's folder.
        keys: The names of the runs' folders to look at, in this order; by default all.

    Raises:
        ValueError: if the study is of another version's format, or no run of it was begun.
    """
    refuse_other_formats(study)
    if keys is None and not (study / "runs").is_dir():
        raise ValueError(f"{study} is a study of which no run was begun: there is no {study / 'runs'}.")
    finished: list[FinishedRun] = []
    unfinished: list[Path] = []
    damaged: dict[Path, ValueError] = {}
    for folder in run_folders(study) if keys is None else [study / "runs" / key for key in keys]:
        if not is_done(folder):
            unfinished.append(folder)
            continue
        try:
            finished.append(FinishedRun.read(folder))
        except ValueError as error:
            damaged[folder] = error
    return FoundRuns(tuple(finished), tuple(unfinished), damaged)


def is_study(path: Path) -> bool:
    """Whether `path` is a study's folder, and not one run's; many a folder has a `runs/` that holds something else."""
    if (path / "rows.sqlite").is_file():
        return False
    return (path / "study.json").is_file() or ((path / "runs").is_dir() and bool(run_folders(path)))


def check_run(folder: Path) -> None:
    """DamagedError if a folder holds a study's run that is not what was written, or is not the one of its name.

    A recorder's folder has no config: its rows carry checksums alone.
    """
    if is_done(folder):
        verify(folder)
    elif (folder / "config.json").is_file():
        check_name(folder)


@contextlib.contextmanager
def reading(folder: Path) -> Generator[None]:
    """Raise whatever is wrong with a run as a ValueError that names its folder; a failing disk stays an OSError."""
    try:
        yield
    except DamagedError:
        raise  # it names the file
    except (ValueError, TypeError, LookupError, RecursionError, FileNotFoundError) as error:
        raise ValueError(f"the run in {folder} cannot be read: {error}") from error


def read_config(folder: Path) -> dict[str, Any]:
    """The config of a run, finished or not.

    Raises:
        DamagedError: if the run is done and this is not what was written, or it is another run's.
        ValueError: if it is no object, or nests too deep to be laid out in columns.
    """
    config = _object(folder, "config.json")
    check_name(folder)
    fields([config])  # raises where it nests too deep
    return config


def versions_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """The versions and places that an `environment.json` names, flat."""
    packages = environment.get("packages")
    named = {name: environment[name] for name in _PLACES if isinstance(environment.get(name), str)}
    return named | ({str(name): str(of) for name, of in packages.items()} if isinstance(packages, dict) else {})


def _stamps(folder: Path) -> Stamps:
    found = [(folder / name).stat() for name in (*FILES, "done.json")]
    return tuple((each.st_ino, each.st_size, each.st_ctime_ns) for each in found)


def _object(folder: Path, name: str) -> dict[str, Any]:
    """The object in a JSON file of a run, which must be what was written once the run is done."""
    data = read_small(folder / name)
    if is_done(folder) and digest_of(data) != read_sealed(folder / "done.json")["files"][name]:
        raise DamagedError(f"{folder / name} is damaged: it is not what was written.")
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError(f"{name} must hold an object; found {type(found).__name__}.")
    return found
