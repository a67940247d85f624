"""How the commands refuse bad input, and how they stop where the work itself has failed."""

import contextlib
import errno
from collections.abc import Generator
from typing import NoReturn

from rich.text import Text

from clinometer.cli.foreign_exits import CommandExit
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
    print_error(str(error))
    raise CommandExit(2)


def stop(error: Exception) -> NoReturn:
    """Print what failed during the work, which is not the input's fault, and exit with status 1."""
    print_stop(error)
    raise CommandExit(1)


def print_stop(error: Exception) -> None:
    """Print what failed during the work, and how to go on."""
    message = str(error).removesuffix(".")
    if is_full(error):
        print_error(f"no space is left: {message}. What is done is kept; free space and give the same command again.")
    else:
        print_error(f"{message}. What is done is kept; once that is mended the same command goes on from there.")


def is_full(error: Exception) -> bool:
    """Whether the disk is full, or this user's share of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def print_error(message: str) -> None:
    """Print an error in one line."""
    PlainConsole(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "red"), message))
