"""Put the numbers of `results/` into the tables of `docs/paper.md`, so that no number there is typed by hand.

A table stands between `<!-- C7 -->` and `<!-- end -->`: the parts of a claim, with a column for each scale that has
results. `python docs/fill.py` rewrites the page; the tests ask whether that would change it.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "paper.md"
SCALES = ("smoke", "laptop", "paper")
TABLE = re.compile(r"<!-- ([CFD]\d+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str, results: Path = ROOT / "results" / "santurkar2018") -> str:
    """The page with every table made anew."""
    found = {scale: _claims(results / scale / "claims.json") for scale in SCALES}
    return TABLE.sub(lambda match: f"<!-- {match[1]} -->\n{_table(match[1], found)}\n<!-- end -->", text)


def _claims(path: Path) -> dict[str, Any]:
    return {row["id"]: row for row in json.loads(path.read_text())} if path.is_file() else {}


def _table(claim: str, found: dict[str, dict[str, Any]]) -> str:
    scales = {scale: rows[claim] for scale, rows in found.items() if claim in rows and _measured(rows[claim])}
    names = dict.fromkeys(name for row in scales.values() for name in _parts(row))
    lines = ["| " + " | ".join(["", *scales]) + " |", "|---" * (len(scales) + 1) + "|"]
    lines.append("| " + " | ".join(["**verdict**", *(f"**{row['verdict']}**" for row in scales.values())]) + " |")
    for name in names:
        cells = [_cell(_parts(row).get(name)) for row in scales.values()]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def _measured(row: dict[str, Any]) -> bool:
    return any(part["n"] for part in row["parts"])


def _parts(row: dict[str, Any]) -> dict[str, Any]:
    beside = {f"*beside:* {part['name']}": part for part in row["beside"]}
    return {part["name"]: part for part in row["parts"]} | beside


def _cell(part: dict[str, Any] | None) -> str:
    if part is None or part["value"] is None:
        return "not measured" if part is None else f"no finite number, n = {part['n']}: {part['verdict']}"
    interval = "no interval" if part["low"] is None else f"{part['low']:.3g}, {part['high']:.3g}"
    return f"{part['value']:.3g} [{interval}], n = {part['n']}: {part['verdict']}"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
