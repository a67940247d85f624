"""How the commands refuse bad input, and how they stop where the work itself has failed."""

import contextlib
import errno
from collections.abc import Generator
from typing import NoReturn

from rich.text import Text

from clinometer.cli.foreign_exits import CommandExit
from clinometer.pages.console import PlainConsole


@contextlib.contextmanager
def bad_input() -> Generator[None]:
    """End the command for an error in the input: one line, without a traceback, and status 2."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if is_full(error):
            stop(error)
        refuse(error)


def refuse(error: Exception) -> NoReturn:
    """End the command with what is wrong with the input, and status 2."""
    raise CommandExit(2, str(error)) from error


def stop(error: Exception) -> NoReturn:
    """End the command with what failed during the work, which is not the input's fault, and status 1."""
    raise CommandExit(1, stop_text(error)) from error


def stop_text(error: Exception) -> str:
    """What failed during the work, and how to go on."""
    message = str(error).removesuffix(".")
    if is_full(error):
        return f"no space is left: {message}. What is done is kept; free space and give the same command again."
    return f"{message}. What is done is kept; once that is mended the same command goes on from there."


def is_full(error: Exception) -> bool:
    """Whether the disk is full, or this user's share of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def print_error(message: str) -> None:
    """Print an error in one line."""
    PlainConsole(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "red"), message))
