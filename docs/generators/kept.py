"""What `results/` keeps: the claims of each study and scale, and what benchmarks counted."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCALES = ("smoke", "laptop", "paper")
NOTHING = "No confirmatory study is kept yet."
NOT_COUNTED = "Not counted yet: `{}` does."

Rows = Mapping[str, Mapping[str, dict[str, Any]]]  # scale, then a claim's id, to the claim's row


def line(*cells: str) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def read_claims(study: Path) -> Rows:
    """The rows of each scale of a study that measured anything."""
    found = {scale: _rows(study / scale / "claims.json") for scale in SCALES}
    return {scale: rows for scale, rows in found.items() if any(map(measured, rows.values()))}


def _rows(path: Path) -> dict[str, Any]:
    return {row["id"]: row for row in json.loads(path.read_text())} if path.is_file() else {}


def measured(row: Mapping[str, Any]) -> bool:
    """Whether any part of a claim that decides it was measured."""
    return any(part["n"] for part in row["parts"])


def only_measured(found: Rows) -> Rows:
    """The claims that were measured, at each scale."""
    return {scale: {claim: row for claim, row in rows.items() if measured(row)} for scale, rows in found.items()}


def confirmed(found: Rows) -> Rows:
    """The rows whose rule was fixed before the seeds that decided it."""
    chosen = {
        scale: {claim: row for claim, row in rows.items() if row["status"] == "confirmatory"}
        for scale, rows in only_measured(found).items()
    }
    return {scale: rows for scale, rows in chosen.items() if rows}


def counts(file: Path) -> Any:
    """What a benchmark has kept; None before it was run."""
    return json.loads(file.read_text()) if file.is_file() else None


def part_of(page: Path, heading: str) -> str:
    """What stands under a heading of a page of results, given by how it begins."""
    (found,) = [part for part in page.read_text().split("\n## ") if part.startswith(heading)]
    return found.partition("\n")[2].strip()
