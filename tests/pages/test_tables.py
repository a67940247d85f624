import io
from typing import Any

import pytest
from rich.console import Console

from clinometer.pages.tables import claims_table, theorems_table

PART: dict[str, Any] = {"name": "log10 of the gap", "verdict": "fails", "value": 126.0, "low": 10.0, "high": 1600.0}
PART |= {"n": 8, "unit": "factor", "bounds": [None, 2.0], "p": 0.004, "looks": [3, 5, 8], "remark": "2 distinct values"}
ROW: dict[str, Any] = {"id": "C1", "verdict": "fails", "statement": "it is so [sic]", "note": "dead arm"}
ROW |= {"parts": [PART], "beside": [PART | {"name": "at matched loss", "value": None, "low": None, "high": None}]}
ROW |= {"status": "exploratory", "status_reason": "pilot seeds", "holm": "undecided", "seeds_needed": None}


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_shows_every_part_with_its_interval(width: int) -> None:
    """No part of a claim that failed is left out, no line is longer than the terminal, and verdicts come first.

    Lines are joined again before they are read, so that where they were broken does not matter.
    """
    out = io.StringIO()
    Console(file=out, width=width).print(claims_table([ROW, ROW | {"status": "confirmatory"}]))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("fails ")
    assert lines[1 if width == 120 else 2].startswith(" fails ")
    told = " ".join(out.getvalue().split())
    for expected in (
        "C1 it is so [sic] (exploratory: pilot seeds; undecided where all claims share one error rate, by Holm)",
        "a factor 126 [10, 1600] (rule: below 2), n = 8, 3rd look: gap (2 distinct values)",
        "beside, not counted: 1 more, on the page",
        "dead arm",
    ):
        assert expected in told


def test_the_theorems_are_shown_as_printed_as_true_and_broken() -> None:
    """Rows written by hand, one of a theorem that failed with an error that is no number."""
    shown = {"printed": "a ≤ b [sic]", "true": "a = b", "hypothesis": "c > 0", "cases": 7}
    breaks = [{"name": "c = 0", "false": 0.125, "error": None}, {"name": "never", "false": 0.0, "error": None}]
    found = {"id": "theorem_1", "verdict": "failed", "worst": None, "breaks": breaks}
    out = io.StringIO()
    Console(file=out, width=120).print(theorems_table([shown | found]))
    for expected in ("theorem_1", "failed", "a ≤ b [sic]", "a = b", "c > 0", "c = 0: 12.5%, by ∞", "never: 0%", "∞ │"):
        assert expected in out.getvalue()
