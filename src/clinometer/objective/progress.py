"""How far a measurement is that takes long: a plain line on a terminal, by the standard library alone."""

import sys
import time
from collections.abc import Callable
from typing import Any

Progress = Callable[[int, int], object]  # called as progress(done, total)

_PAUSE = 0.2  # seconds between two lines


def progress_callback(progress: Progress | Any) -> Progress | None:
    """What to call with how many are done, of how many; None if nobody wants to know.

    Args:
        progress: A function of both numbers, an object with `update(1)`, such as tqdm's bar, or None.

    Raises:
        TypeError: if it is anything else.
    """
    if progress is None or callable(progress):
        return progress
    if not callable(getattr(progress, "update", None)):
        raise TypeError(
            "progress must be a function of (done, total), or an object with update(n), such as tqdm's; "
            f"found {progress!r}."
        )
    return lambda _done, _total: progress.update(1)


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
