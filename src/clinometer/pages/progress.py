"""Progress while a study's runs are made: a bar on a terminal, plain lines elsewhere."""

import contextlib
from collections.abc import Callable, Generator

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from clinometer.runner.scheduler import Progress
from clinometer.training.config import RunConfig

Naming = Callable[[RunConfig], str]

_LINES = 10  # a log wants a line now and then, not one per run


@contextlib.contextmanager
def show_progress(console: Console, name_of: Naming = RunConfig.short) -> Generator[Callable[[Progress], None]]:
    """Show a study's progress: live on a terminal, as plain lines elsewhere.

    Args:
        console: Where to show it.
        name_of: The label of a run in progress.

    Yields:
        A function to call with each progress.
    """
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4) as live:
            yield lambda now: live.update(
                Group(Text(progress_line(now, name_of)), ProgressBar(now.total, now.done + now.failed, 60))
            )
    else:
        shown = -1

        def plain(now: Progress) -> None:
            nonlocal shown
            tenth = _LINES * (now.done + now.failed) // max(now.total, 1)
            if tenth > shown:
                shown = tenth
                console.print(progress_line(now, name_of), highlight=False)

        yield plain


def progress_line(now: Progress, name_of: Naming = RunConfig.short) -> str:
    """One line: runs done, rate, time left, and the runs in progress.

    Example:
        >>> progress_line(Progress(total=10, done=6, found=2, failed=0, running=(), seconds=60.0))
        '6 of 10 runs done (2 found), 4.0 a minute, 1:00 left'
    """
    made = now.done - now.found + now.failed
    found = f" ({now.found} found)" if now.found else ""
    failed = f", {now.failed} failed" if now.failed else ""
    text = f"{now.done} of {now.total} runs done{found}{failed}"
    left = now.total - now.done - now.failed
    if made and left:
        text += f", {60 * made / now.seconds:.1f} a minute, {_clock(left * now.seconds / made)} left"
    if now.running:
        text += "; in work: " + "; ".join(map(name_of, now.running))
    return text


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
