"""Tells the folder of a run from that of a study, and says in words what any other path is."""

import contextlib
from pathlib import Path
from typing import Literal

from clinometer.results.finished_run import is_study
from clinometer.results.run_frame import store_file

_NAMED = 3  # runs that an error names


def run_or_study(path: str | Path) -> Literal["run", "study"]:
    """What a path holds: one run, as a recorder's folder or its `rows.sqlite`, or a study.

    Raises:
        ValueError: if it is neither, or is not there; the message names the runs that lie in it.

    Example:
        >>> run_or_study("runs/none")
        Traceback (most recent call last):
        ...
        ValueError: there is no runs/none. Expected the folder that a Recorder writes to, such as \
Recorder(..., to="runs/mine"), or that of a study.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(
            f"there is no {path}. Expected the folder that a Recorder writes to, such as "
            'Recorder(..., to="runs/mine"), or that of a study.'
        )
    if store_file(path).is_file():
        return "run"
    if (path / "study.json").is_file() or is_study(path):
        return "study"
    inside = _runs_in(path)
    hint = f"Runs lie in it: {', '.join(map(str, inside))}." if inside else "Expected a Recorder's `to=`, or a study's."
    raise ValueError(f"{path} holds no rows.sqlite, as a run does, and no study.json. {hint}")


def run_file(path: str | Path, otherwise: str) -> Path:
    """The store of the run at `path`.

    Args:
        path: The recorder's folder, or its `rows.sqlite`.
        otherwise: What to use for a study: the end of the error's sentence.

    Raises:
        ValueError: if it is not there, or is something else.
    """
    if run_or_study(path) == "study":
        runs = _runs_in(Path(path) / "runs")
        one = f" One of its runs is {runs[0]}." if runs else ""
        raise ValueError(f"{path} is the folder of a study, which has many runs: {otherwise}.{one}")
    return store_file(path)


def _runs_in(folder: Path) -> list[Path]:
    """The first folders in `folder` that hold a run."""
    found: list[Path] = []
    with contextlib.suppress(OSError):
        found = sorted(each.parent for each in folder.glob("*/rows.sqlite"))
    return found[:_NAMED]
