"""`clinometer merge`."""

import dataclasses
from pathlib import Path
from typing import Literal

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path
from clinometer.results.merge import merge


def merge_command(
    *folders: Path,
    to: Path,
    keep: Literal["first"] | None = None,
    stale: Literal["keep"] | None = None,
) -> Answer:
    """Copy the finished runs into the new folder and tell how many there are.

    Parameters
    ----------
    folders
        The study's folders. They are only read.
    to
        The folder to make.
    keep
        first: of runs of the same config with other rows take the first; otherwise that is an error.
    stale
        keep: take runs of differing code, data or versions; otherwise that is an error.
    """
    with bad_input():
        for folder in folders:
            check_path("merge", folder)
        found = merge(folders, to, keep_first=keep == "first", keep_stale=stale == "keep")
    return Answer(
        {"folder": to, **dataclasses.asdict(found)},
        [f"{to}: {found}", f"Decide and draw again: clinometer report {to}"],
    )
