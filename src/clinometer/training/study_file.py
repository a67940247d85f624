"""`study.json`: which study a folder holds, what was asked for, and the format in which its runs are kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.store import DamagedError
from clinometer.training.files import read_json, read_sealed, write_sealed

NAME = "study.json"
FORMAT = 2  # 1, without a mark of it: configs of two kinds, before one of import paths


def read_study(folder: Path) -> dict[str, Any]:
    """What `write_study` wrote.

    Raises:
        ValueError: if the folder holds no study, or one of another version's format.
        DamagedError: if the file is damaged.
    """
    try:
        facts = read_sealed(folder / NAME)
    except DamagedError as error:
        raise DamagedError(
            f"{error} If you delete it, the command that made the study writes it anew; the runs are kept."
        ) from error
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder} holds no clinometer study: {error}. Make one with `clinometer reproduce`."
        ) from error
    check_format(facts, folder)
    facts.pop("format")
    return facts


def write_study(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write a study's facts, sealed and with the format's mark."""
    write_sealed(folder / NAME, {**facts, "format": FORMAT})


def check_format(facts: Mapping[str, Any], folder: Path) -> None:
    """ValueError unless these facts of a study's folder are of this version's format.

    Example:
        >>> check_format({"format": FORMAT}, Path("runs/mine"))
        >>> check_format({"study": "santurkar2018"}, Path("runs/mine"))
        Traceback (most recent call last):
        ...
        ValueError: runs/mine holds a study of an earlier version of clinometer (its format is 1, and this version \
reads 2): make it again in a new folder, or read it with that version.
    """
    held = facts.get("format", 1)
    if held != FORMAT:
        age = "an earlier" if isinstance(held, int) and held < FORMAT else "a later"
        raise ValueError(
            f"{folder} holds a study of {age} version of clinometer (its format is {held}, and this version reads "
            f"{FORMAT}): make it again in a new folder, or read it with that version."
        )


def refuse_other_formats(folder: Path) -> None:
    """ValueError if a folder's `study.json` is there and of another format; whether it is damaged is not looked at."""
    try:
        facts = read_json(folder / NAME)
    except (OSError, DamagedError):
        return
    check_format(facts, folder)
