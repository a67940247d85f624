"""The code of a paper or a study that ends the process: a command must not end with its status, or in silence."""

import contextlib
import os
from collections.abc import Generator
from typing import NoReturn


class CommandExit(SystemExit):
    """The end of a command that the command itself has chosen.

    Args:
        status: Its exit status.
        message: What went wrong.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status)
        self.status, self.message = status, message


@contextlib.contextmanager
def exits_raised() -> Generator[None]:
    """Let `os._exit` raise SystemExit in this process, while a `with` block lasts."""
    process, leave = os.getpid(), os._exit

    def leave_or_raise(status: int) -> NoReturn:
        if os.getpid() != process:  # a fork's end, such as one of multiprocessing
            leave(status)
        raise SystemExit(f"os._exit({status})")

    os._exit = leave_or_raise
    try:
        yield
    finally:
        os._exit = leave


def exit_text(error: SystemExit) -> str:
    """What to say of an exit that the command has not chosen.

    Example:
        >>> exit_text(SystemExit("why")), exit_text(SystemExit(0))
        ("code of the study or paper has ended the command: SystemExit: 'why'", \
'code of the study or paper has ended the command: SystemExit: 0')
    """
    return f"code of the study or paper has ended the command: SystemExit: {error.code!r}"
