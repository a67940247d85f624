"""How the commands refuse bad input, and how they stop where the work itself has failed."""

import contextlib
import errno
import sys
from collections.abc import Generator
from typing import NoReturn

from rich.text import Text

from clinometer.report.console import PlainConsole


@contextlib.contextmanager
def bad_input() -> Generator[None]:
    """Report an error in the input in one line, without a traceback, and exit with status 2."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if is_full(error):
            stop(error)
        refuse(error)


def refuse(error: Exception) -> NoReturn:
    """Print what is wrong with the input, and exit with status 2."""
    _print_error(str(error))
    sys.exit(2)


def stop(error: Exception) -> NoReturn:
    """Print what failed during the work, which is not the input's fault, and exit with status 1."""
    message = str(error).removesuffix(".")
    if is_full(error):
        _print_error(f"no space is left: {message}. What is done is kept; free space and give the same command again.")
    else:
        _print_error(f"{message}. What is done is kept; once that is mended the same command goes on from there.")
    sys.exit(1)


def is_full(error: Exception) -> bool:
    """Whether the disk is full, or this user's share of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _print_error(message: str) -> None:
    PlainConsole(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "red"), message))
