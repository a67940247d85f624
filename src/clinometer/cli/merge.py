"""`clinometer merge`."""

from pathlib import Path
from typing import Literal

from clinometer.cli.console import print_remark
from clinometer.cli.errors import bad_input
from clinometer.results.merge import merge


def merge_command(
    *folders: Path,
    to: Path,
    keep: Literal["first"] | None = None,
    stale: Literal["keep"] | None = None,
) -> int:
    """Copy the finished runs into the new folder and print how many there are.

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
        found = merge(folders, to, keep_first=keep == "first", keep_stale=stale == "keep")
        print_remark(f"{to}: {found}")
        print_remark(f"Decide and draw again: clinometer report {to}")
    return 0
