"""What the commands share: where they print, how they refuse bad input, how they show results."""

import contextlib
import errno
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rich.text import Text

from clinometer.report.console import PlainConsole
from clinometer.report.study_page import Results
from clinometer.report.terminal import claims_table, theorems_table

console = PlainConsole(width=None if sys.stdout.isatty() else 120, soft_wrap=False)


@contextlib.contextmanager
def bad_input() -> Generator[None]:
    """What is wrong with the input is said before any work is spent, in one line and without a traceback."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if is_full(error):
            stop(error)
        refuse(error)


def refuse(error: Exception) -> NoReturn:
    """Say what is wrong, and end with the status of bad input."""
    _say(str(error))
    sys.exit(2)


def stop(error: Exception) -> NoReturn:
    """Say what has failed in the midst of the work, which is not the input, and end with status 1."""
    told = str(error).removesuffix(".")
    if is_full(error):
        _say(f"no space is left: {told}. What is done is kept; free space and give the same command again.")
    else:
        _say(f"{told}. What is done is kept; once that is mended the same command goes on from there.")
    sys.exit(1)


def is_full(error: Exception) -> bool:
    """Whether there is no space left, for anybody or for this user."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _say(error: str) -> None:
    PlainConsole(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "red"), error))


def names(only: str) -> list[str]:
    """What was listed with commas."""
    return [name.strip() for name in only.split(",") if name.strip()]


def show_results(results: Results) -> None:
    """Print what became of claims and theorems, and what they rest on."""
    for remark in results.remarks:
        console.print(Text(remark, "yellow"), soft_wrap=True)
    if results.claims:
        console.print(claims_table(results.claims))
    if results.theorems:
        console.print(theorems_table(results.theorems))


def verified(theorems: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all of these rows of `theorems.json` are."""
    return all(row["verdict"] == "verified" for row in theorems)


def say_where(folder: Path) -> None:
    """Print where the page is."""
    console.print(f"The report, with every figure: {folder / 'report.html'}", soft_wrap=True)
