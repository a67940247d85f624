"""Write the tables of the README and the docs that follow from `results/` and from the list of probes.

A table stands between `<!-- KEY -->` and `<!-- end -->`, where KEY is one of

- `C7`: the parts of a claim, with a column for each scale that has results; `verdicts`: the verdicts of all claims;
- `probes PATH`: every probe, what it tells and its cost, with links to the pages in PATH;
- `fields NAME`: the fields of a probe's rows; `pages` and `reference`: the probes' pages and their entries.

`python docs/fill.py` rewrites the pages, and a test compares them with what it would write.
"""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clinometer.probes.registry import PROBES

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "mkdocs.yml", *sorted((ROOT / "docs").glob("*.md")))
SCALES = ("smoke", "laptop", "paper")
KEYS = r"verdicts|[CFD]\d+|probes \S+|fields \w+|pages|reference"
TABLE = re.compile(rf"<!-- ({KEYS}) -->\n.*?( *#? ?)<!-- end -->", re.DOTALL)
COST = re.compile(r"Cost: (.+?)\.(?=\s|$)", re.DOTALL)


def filled(text: str, results: Path = ROOT / "results" / "santurkar2018") -> str:
    """The page with every table made anew."""
    found = {scale: _claims(results / scale / "claims.json") for scale in SCALES}

    def table(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n{_table(match[1], found)}\n{match[2]}<!-- end -->"

    return TABLE.sub(table, text)


def _table(key: str, found: dict[str, dict[str, Any]]) -> str:
    kind, _, rest = key.partition(" ")
    if kind == "probes":
        return _probes_table(rest)
    if kind == "fields":
        return _fields_table(PROBES[rest])
    if kind == "pages":
        return "\n".join(f"      - {name}.md" for name in PROBES)
    if kind == "reference":
        return "\n\n".join(f"::: clinometer.probes.{name}.{name}" for name in PROBES)
    return _verdicts(found) if kind == "verdicts" else _parts_table(kind, found)


def _probes_table(pages: str) -> str:
    lines = ["| probe | what it tells | cost, beside the pass that all probes of a step share |", "|---" * 3 + "|"]
    for name, factory in PROBES.items():
        what, cost = told_by(factory)
        lines.append(f"| [`{name}`]({Path(pages) / name}.md) | {what} | {cost} |")
    return "\n".join(lines)


def told_by(factory: Callable[..., Any]) -> tuple[str, str]:
    """What a probe tells and costs: the first line and the cost of its factory's docstring."""
    text = inspect.getdoc(factory) or ""
    cost = COST.search(text)
    if not cost:
        raise ValueError(f"the docstring of {factory.__name__} must name its cost: 'Cost: one forward pass.'")
    return text.splitlines()[0].rstrip("."), " ".join(cost[1].split())


def _fields_table(factory: Callable[..., Any]) -> str:
    """The declared fields; those that summaries show first are bold."""
    required = [p for p in inspect.signature(factory).parameters.values() if p.default is p.empty]
    fields: Mapping[str, Any] = factory(*(["any"] for _ in required)).fields
    lines = ["| field | axes | unit | meaning |", "|---" * 4 + "|"]
    for name, field in fields.items():
        called = f"**`{name}`**" if field.headline else f"`{name}`"
        lines.append(f"| {called} | {', '.join(field.axes)} | {field.unit} | {field.meaning} |")
    return "\n".join(lines)


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
