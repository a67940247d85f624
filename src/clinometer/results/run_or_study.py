"""Tells the folder of a run from that of a study, and says in words what any other path is."""

from pathlib import Path
from typing import Literal

from clinometer.results.path_kind import folders_within, kind_of
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
    kind = kind_of(Path(path))
    if kind == "missing":
        raise ValueError(
            f"there is no {path}. Expected the folder that a Recorder writes to, such as "
            'Recorder(..., to="runs/mine"), or that of a study.'
        )
    if kind in ("recorder", "run", "store", "file"):  # of any file a store says what is wrong with it
        return "run"
    if kind == "study":
        return "study"
    inside = folders_within(Path(path))[:_NAMED]
    hint = f"In it are {', '.join(map(str, inside))}." if inside else "Expected a Recorder's `to=`, or a study's."
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
        runs = folders_within(Path(path) / "runs")
        one = f" One of its runs is {runs[0]}." if runs else ""
        raise ValueError(f"{path} is the folder of a study, which has many runs: {otherwise}.{one}")
    return store_file(path)
