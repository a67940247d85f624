"""`clinometer watch`."""

import contextlib
from pathlib import Path

from clinometer.cli.answer import Answer
from clinometer.cli.console import console, print_remark
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path, near_text
from clinometer.pages.course import course
from clinometer.pages.watch import views, watch


def watch_command(path: Path, /, *, every: float = 2.0, once: bool = False) -> Answer:
    """Show a run's rows as they come, until Ctrl-C; with --once, what there is now.

    Parameters
    ----------
    path
        The recorder's folder, or its rows.sqlite; if there is none yet, the command waits for it.
    every
        Seconds from one reading to the next.
    once
        Show what there is now, and end: the steps that were measured, alarms, and each number.
    """
    with bad_input():
        check_path("watch", path, *(() if once else ("missing", "empty", "folder")))
        if not once:
            if near := near_text(path) if not path.exists() else "":
                print_remark(f"{path} is not there yet.{near}")
            with contextlib.suppress(KeyboardInterrupt):
                watch(path, console, every=every)
            return Answer({})
        return Answer(course(path), [next(views(path, every))[0]])
