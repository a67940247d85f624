"""Progress: a line on a terminal, and what a caller may pass instead."""

import io
import sys

import pytest

from clinometer.objective.progress import progress_callback, show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Bar:
    """As tqdm's."""

    def __init__(self) -> None:
        self.done = 0

    def update(self, more: int) -> None:
        self.done += more


def test_a_terminal_gets_one_line_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as it is written: each state starts where the line does, and the last one ends it; a file gets nothing."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    show = show_progress("plane")
    for done in (1, 2):
        show(done, 2)
    assert terminal.getvalue().count("\r") >= 1
    assert terminal.getvalue().endswith("plane [====================] 2 of 2, 0:00 left\x1b[K\n")
    monkeypatch.setattr(sys, "stderr", file := io.StringIO())
    show_progress("plane")(1, 2)
    assert file.getvalue() == ""


def test_a_bar_is_moved_by_one_and_anything_else_refused() -> None:
    """Functions are called as they are, bars by `update(1)`, and text is none of them."""
    call = progress_callback(bar := Bar())
    assert call
    call(1, 9)
    call(2, 9)
    assert bar.done == 2
    assert progress_callback(None) is None
    with pytest.raises(TypeError, match="a function of"):
        progress_callback("yes")
