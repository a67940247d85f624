"""Put what `results/` say into the tables of `docs/paper.md` and of the README, so that no number is typed by hand.

Between `<!-- C7 -->` and `<!-- end -->` stand the parts of a claim, between `<!-- verdicts -->` and `<!-- end -->` the
verdicts of all, with a column for each scale that has results. `python docs/fill.py` rewrites both pages; the tests ask
whether that would change them.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "paper.md", ROOT / "README.md")
SCALES = ("smoke", "laptop", "paper")
TABLE = re.compile(r"<!-- (verdicts|[CFD]\d+) -->\n.*?<!-- end -->", re.DOTALL)


def filled(text: str, results: Path = ROOT / "results" / "santurkar2018") -> str:
    """The page with every table made anew."""
    found = {scale: _claims(results / scale / "claims.json") for scale in SCALES}

    def table(match: re.Match[str]) -> str:
        made = _verdicts(found) if match[1] == "verdicts" else _parts_table(match[1], found)
        return f"<!-- {match[1]} -->\n{made}\n<!-- end -->"

    return TABLE.sub(table, text)


def _verdicts(found: dict[str, dict[str, Any]]) -> str:
    scales = {scale: rows for scale, rows in found.items() if any(map(_measured, rows.values()))}
    claims = {claim: row["statement"] for rows in scales.values() for claim, row in rows.items() if claim[0] in "CF"}
    lines = ["| " + " | ".join(["", "claim", *scales]) + " |", "|---" * (len(scales) + 2) + "|"]
    for claim, statement in claims.items():
        verdicts = [_verdict(rows[claim]) if claim in rows else "" for rows in scales.values()]
        lines.append("| " + " | ".join([claim, statement, *verdicts]) + " |")
    return "\n".join(lines)


def _verdict(row: dict[str, Any]) -> str:
    """The claim's verdict; where it is asked of both kinds of network, theirs beside it."""
    kinds: dict[str, set[str]] = {}
    for part in row["parts"]:
        kinds.setdefault("DLN" if part["name"].startswith("DLN") else "VGG", set()).add(part["verdict"])
    of_kinds = [f"{kind} {_all(verdicts)}" for kind, verdicts in kinds.items()]
    beside = f" ({', '.join(of_kinds)})" if len(kinds) > 1 and len(set(map(_all, kinds.values()))) > 1 else ""
    return (f"**{row['verdict']}**" if row["verdict"] == "fails" else row["verdict"]) + beside


def _all(verdicts: set[str]) -> str:
    return "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "undecided"


def _claims(path: Path) -> dict[str, Any]:
    return {row["id"]: row for row in json.loads(path.read_text())} if path.is_file() else {}


def _parts_table(claim: str, found: dict[str, dict[str, Any]]) -> str:
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
    for page in PAGES:
        page.write_text(filled(page.read_text()))
