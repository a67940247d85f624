"""What the table of needs says of a claim, by cases that are made by hand."""

from typing import Any

import pytest

from clinometer.pages.needs_table import seeds_cell
from clinometer.studies.claim_needs import ClaimNeed
from clinometer.studies.claims import Claim, no_evidence
from clinometer.studies.comparison import above
from clinometer.studies.seeds_needed import SeedsNeeded

CLAIM = Claim("C1", "it is positive", "", "above 0", (), lambda *_: no_evidence(""))
PART = above("gap", [1.0, 2.0, 3.0])
OPEN, PILOT = {"verdict": "undecided"}, {"verdict": "fails", "status": "exploratory"}
CONFIRMED = {"verdict": "holds", "status": "confirmatory"}


@pytest.mark.parametrize(
    ("row", "numbers", "expected"),
    [
        (None, (12, 40), "12 to 40"),
        (OPEN, (12, 12), "12"),
        (OPEN, (12, None), "12 to more than 50"),
        (OPEN, (None, None), "more than 50: hopeless as posed"),
        (OPEN, None, "not known: one seed"),
        (PILOT, (12, 40), "0 more; to confirm it: 12 to 40"),
        (CONFIRMED, (12, 40), "0 more"),
    ],
)
def test_how_many_seeds_are_said(row: dict[str, Any] | None, numbers: Any, expected: str) -> None:
    """Each case once: open, decided by a pilot, confirmed; within the largest number, beyond it, and unknown."""
    needed = SeedsNeeded(*numbers, "holds", PART) if numbers else None
    assert seeds_cell(ClaimNeed(CLAIM, row, needed, "" if needed else "one seed"), 50) == expected
