import io
import re

from rich.console import Console

from clinometer.pages.progress import progress_line, show_progress
from clinometer.papers.santurkar2018.configs import vgg
from clinometer.runner.scheduler import Progress


def at(done: int, seconds: float = 10.0, failed: int = 0) -> Progress:
    return Progress(20, done, 0, failed, (vgg(),), seconds)


def test_the_rate_counts_what_was_made_and_the_time_left_follows() -> None:
    """By hand: 4 of 20 made in 60 s beside 6 found is 4 a minute, so the other 10 take 2:30."""
    text = progress_line(Progress(20, 10, 6, 0, (), 60.0))
    assert text == "10 of 20 runs done (6 found), 4.0 a minute, 2:30 left"
    assert "2 failed" in progress_line(at(3, failed=2))


def test_a_log_gets_a_line_now_and_then() -> None:
    """Plain text without control characters, ten lines or so for any number of runs."""
    out = io.StringIO()
    with show_progress(Console(file=out, width=100)) as show:
        for done in range(21):
            show(at(done))
    lines = out.getvalue().splitlines()
    assert len(lines) == 11
    assert "\x1b" not in out.getvalue()
    assert lines[-1].startswith("20 of 20 runs done")


def test_a_terminal_gets_one_line_that_changes() -> None:
    """Cursor movements are there, and the last state is what remains."""
    out = io.StringIO()
    with show_progress(Console(file=out, width=100, force_terminal=True)) as show:
        show(at(1))
        show(at(20))
    assert "\x1b[" in out.getvalue()
    assert "20 of 20 runs done" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
