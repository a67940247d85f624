"""How far a measurement is that takes long: a plain line on a terminal, by the standard library alone."""

import sys
import time
from collections.abc import Callable

Progress = Callable[[int, int], None]  # called as progress(done, total)

_PAUSE = 0.2  # seconds between two lines


def no_progress(done: int, total: int) -> None:
    """Show nothing."""


def show_progress(label: str) -> Progress:
    """A line on the terminal's stderr that says how much is done and how long the rest will take.

    Nothing is written where stderr is no terminal.

    Args:
        label: What is being done.

    Example:
        >>> show_progress("plane")(3, 25)
    """
    start, last = time.monotonic(), 0.0

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if sys.stderr and sys.stderr.isatty() and (now - last > _PAUSE or done == total):
            last = now
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r{progress_line(label, done, total, now - start)}\x1b[K{end}")
            sys.stderr.flush()

    return show


def progress_line(label: str, done: int, total: int, seconds: float) -> str:
    """A bar, what is done, and the time that is left if it goes on like this.

    Example:
        >>> progress_line("plane", 25, 100, 10.0)
        'plane [=====               ] 25 of 100, 0:30 left'
    """
    bar = "=" * (20 * done // max(total, 1))
    left = round(seconds * (total - done) / max(done, 1))
    return f"{label} [{bar:<20}] {done} of {total}, {left // 60}:{left % 60:02} left"
