"""`clinometer watch`."""

import contextlib
from pathlib import Path

from clinometer.cli.console import console
from clinometer.cli.errors import bad_input
from clinometer.report.watch import watch


def watch_command(path: Path, /, *, every: float = 2.0, once: bool = False) -> int:
    """Show a run's rows as they come, until Ctrl-C.

    Parameters
    ----------
    path
        The recorder's folder, or its rows.sqlite; if there is none yet, the command waits for it.
    every
        Seconds from one reading to the next.
    once
        Show what is there now, and end.
    """
    with bad_input(), contextlib.suppress(KeyboardInterrupt):
        watch(path, console, every=every, once=once)
    return 0
