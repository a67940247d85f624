"""What a path holds that may be a run or a study: the one place that judges it, for commands and for Python."""

import contextlib
from pathlib import Path
from typing import Literal

from clinometer.results.finished_run import is_study
from clinometer.training.run_folder import RUN_NAME

PathKind = Literal["missing", "recorder", "run", "study", "store", "file", "empty", "runs", "folder"]


def kind_of(path: Path) -> PathKind:
    """What a path holds. Nothing is read but the names of files, and the first bytes of a file of another name.

    A recorder is the folder of one, a run the folder of a study's run, runs a folder of such folders or of studies.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> kind_of(folder), kind_of(folder / "other"), kind_of(Path(__file__))
        ('empty', 'missing', 'file')
    """
    if not path.exists():
        return "missing"
    return _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)


def folders_within(path: Path) -> list[Path]:
    """The folders of recorders, runs and studies in a folder."""
    inside: list[Path] = []
    with contextlib.suppress(OSError):
        inside = sorted(each for each in path.iterdir() if each.is_dir())
    return [each for each in inside if (each / "rows.sqlite").is_file() or (each / "study.json").is_file()]


def holds_records(folder: Path) -> bool:
    """Whether a folder holds the record, or the lock, of some run, as that of a study does from its start on."""
    return any(RUN_NAME.fullmatch(path.stem) for path in (folder / "records").glob("*.*"))


def _kind_of_folder(path: Path) -> PathKind:
    in_study = (path / "config.json").is_file() and (
        RUN_NAME.fullmatch(path.name) is not None or (path / "done.json").is_file()
    )
    if in_study or (path / "rows.sqlite").is_file():
        return "run" if in_study else "recorder"
    if is_study(path) or holds_records(path):
        return "study"
    if not any(path.iterdir()):
        return "empty"
    return "runs" if folders_within(path) else "folder"


def _kind_of_file(path: Path) -> PathKind:
    with contextlib.suppress(OSError), path.open("rb") as file:
        if path.name == "rows.sqlite" or file.read(15) == b"SQLite format 3":
            return "store"
    return "file"
