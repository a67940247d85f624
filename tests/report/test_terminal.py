import io
import re

from rich.console import Console

from clinometer.report.terminal import claims_table, line, progress, theorems_table
from clinometer.runner.scheduler import Progress
from clinometer.training.config import Config


def at(done: int, seconds: float = 10.0, failed: int = 0) -> Progress:
    return Progress(20, done, 0, failed, (Config(),), seconds)


def test_the_rate_counts_what_was_made_and_the_time_left_follows() -> None:
    """By hand: 4 of 20 made in 60 s beside 6 found is 4 a minute, so the other 10 take 2:30."""
    text = line(Progress(20, 10, 6, 0, (), 60.0))
    assert text == "10 of 20 runs done (6 found), 4.0 a minute, 2:30 left"
    assert "2 failed" in line(at(3, failed=2))


def test_a_log_gets_a_line_now_and_then() -> None:
    """Plain text without control characters, ten lines or so for any number of runs."""
    out = io.StringIO()
    with progress(Console(file=out, width=100)) as show:
        for done in range(21):
            show(at(done))
    lines = out.getvalue().splitlines()
    assert len(lines) == 11
    assert "\x1b" not in out.getvalue()
    assert lines[-1].startswith("20 of 20 runs done")


def test_a_terminal_gets_one_line_that_changes() -> None:
    """Cursor movements are there, and the last state is what remains."""
    out = io.StringIO()
    with progress(Console(file=out, width=100, force_terminal=True)) as show:
        show(at(1))
        show(at(20))
    assert "\x1b[" in out.getvalue()
    assert "20 of 20 runs done" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())


def test_the_table_shows_every_part_with_its_interval() -> None:
    """Nothing of a claim that failed is left out."""
    part = {"name": "difference", "verdict": "fails", "value": -1.0, "low": -2.0, "high": -0.5, "n": 3, "p": 0.25}
    row = {"id": "C1", "verdict": "fails", "statement": "it is so [sic]", "note": "dead arm", "parts": [part]}
    row["beside"] = [part | {"name": "at matched loss"}]
    out = io.StringIO()
    Console(file=out, width=100).print(claims_table([row]))
    for expected in (
        "C1",
        "fails",
        "it is so [sic]",
        "difference: -1 [-2, -0.5], n = 3",
        "dead arm",
        "at matched loss",
    ):
        assert expected in out.getvalue()


def test_the_theorems_are_shown_as_printed_as_true_and_broken() -> None:
    """Rows written by hand, one of a theorem that failed with an error that is no number."""
    shown = {"printed": "a ≤ b [sic]", "true": "a = b", "hypothesis": "c > 0", "cases": 7}
    breaks = [{"name": "c = 0", "false": 0.125, "error": None}, {"name": "never", "false": 0.0, "error": None}]
    found = {"id": "theorem_1", "verdict": "failed", "worst": None, "breaks": breaks}
    out = io.StringIO()
    Console(file=out, width=120).print(theorems_table([shown | found]))
    for expected in ("theorem_1", "failed", "a ≤ b [sic]", "a = b", "c > 0", "c = 0: 12.5%, by ∞", "never: 0%", "∞ │"):
        assert expected in out.getvalue()
