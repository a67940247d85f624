"""Standard output that is closed, full or no longer read: what is printed is dropped, and the work goes on."""

import contextlib
import os
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, TextIO, cast

_NOWHERE = Path(os.devnull)


class DroppingStream:
    """A text stream that drops what cannot be written, from the first failure on.

    Args:
        stream: Where to write. Its file descriptor, if it has one, is turned to `os.devnull` when writing fails, for C
            code and the interpreter's end write there too.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | ValueError | None = None  # why writing failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or drop it."""
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines, or drop them."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        with self._dropping():
            self._stream.flush()

    @contextlib.contextmanager
    def _dropping(self) -> Generator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: somebody's code has closed it
            if isinstance(error, UnicodeError):
                raise
            self.error = self.error or error
            with contextlib.suppress(OSError, ValueError), _NOWHERE.open("w") as nowhere:  # it may have no descriptor
                os.dup2(nowhere.fileno(), self._stream.fileno())


def open_standard_files() -> list[str]:
    """Open `os.devnull` in the place of each standard file that is closed, and return which these are.

    A file that a program opens would otherwise become its standard output, and what is printed would go into it.
    """
    closed: list[str] = []
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            closed.append(name)
            opened = os.open(os.devnull, os.O_RDWR)  # the least free number, and so this one
            os.set_inheritable(opened, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - it stays open
    return closed


@contextlib.contextmanager
def dropping_output() -> Generator[tuple[DroppingStream, DroppingStream]]:
    """Let standard output and error drop what they cannot write, while a `with` block lasts."""
    nowhere = _NOWHERE.open("w")
    before = sys.stdout, sys.stderr  # each is None if it was closed when the interpreter started
    streams = DroppingStream(before[0] or nowhere), DroppingStream(before[1] or nowhere)
    sys.stdout, sys.stderr = cast("tuple[TextIO, TextIO]", streams)
    try:
        yield streams
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before
        with contextlib.suppress(OSError):
            nowhere.close()
