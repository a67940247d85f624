"""The folder of one run: its path, its files, and whether they are complete and intact.

A run's folder is named by the hash of its config. It holds `config.json`, `environment.json` and `rows.sqlite`, and
`checkpoint/` while the run lasts. `done.json` is written last, with the digests of the other files: a folder that has
it is a finished run. Name, config and digests bind the files of a run to each other: a folder that was exchanged,
renamed or copied is not the run that its name says. This module imports neither torch nor anything that trains.
"""

import re
import shutil
from pathlib import Path
from typing import Protocol

from clinometer.store import DamagedError
from clinometer.training.config import key_of
from clinometer.training.files import digest, fsync, read_json, read_sealed, write_sealed

FILES = ("config.json", "environment.json", "rows.sqlite")  # of a finished run, besides done.json
RUN_NAME = re.compile(r"[0-9a-f]{16}")  # of a run's folder


class HasKey(Protocol):
    """The part of a run's config that names its folder."""

    @property
    def key(self) -> str:
        """The hash of the config."""
        ...


def run_folder(study: Path, config: HasKey) -> Path:
    """The folder of a config's run within a study's folder."""
    return study / "runs" / config.key


def run_folders(study: Path) -> list[Path]:
    """The folders of a study's runs, finished or not, by name; links and folders of other names are left out."""
    paths = (study / "runs").iterdir()
    return sorted(path for path in paths if RUN_NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink())


def is_done(folder: Path) -> bool:
    """Whether the run in `folder` has ended, by finishing or by diverging; `verify` checks whether it is intact."""
    return (folder / "done.json").is_file()


def verify(folder: Path) -> None:
    """Compare the files of a finished run with their digests in `done.json`, and its config with the folder's name.

    Raises:
        DamagedError: if a file is damaged or lost, or the folder holds another run; the message names it.
    """
    try:
        expected = read_sealed(folder / "done.json")["files"]
        damaged = [name for name in FILES if not (folder / name).is_file() or digest(folder / name) != expected[name]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        damaged = ["done.json"]
    if damaged:
        raise DamagedError(f"the run in {folder} is damaged: {', '.join(damaged)} is not what was written.")
    check_name(folder)


def check_name(folder: Path) -> None:
    """DamagedError if a folder has the name of a run and holds the config of another."""
    name = folder.absolute().name
    if RUN_NAME.fullmatch(name) and (key := key_of(read_json(folder / "config.json"))) != name:
        raise DamagedError(
            f"the run in {folder} is damaged: its config.json is that of the run {key}. The folder was exchanged, "
            "renamed or copied; put it back under its name, or delete it and make the run again."
        )


def finish(folder: Path, seconds: float | None = None) -> None:
    """Delete the checkpoints, flush the run's files to disk, and write `done.json` last.

    Args:
        folder: The run's folder.
        seconds: How long the run takes, where that is known; `seconds_of` returns it.
    """
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    for stray in folder.glob("*.partial"):  # left by a process that was killed while it wrote
        stray.unlink(missing_ok=True)
    for name in FILES:
        fsync(folder / name)
    files = {name: digest(folder / name) for name in FILES}
    write_sealed(folder / "done.json", {"files": files, "seconds": seconds})


def seconds_of(folder: Path) -> float | None:
    """How long a finished run takes on the machine that made it; None where that is not known.

    Raises:
        DamagedError: if `done.json` is not what was written.
    """
    seconds = read_sealed(folder / "done.json").get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else None
