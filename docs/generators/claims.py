"""Tables of a study's claims: verdicts, what decides them, and the seeds behind them."""

from pathlib import Path
from typing import Any

from clinometer.pages.tables import status_text
from clinometer.studies.effect_text import bounds_text, effect_text, name_text, seeds_needed_text, seeds_text
from generators.fates import by_claim, fate
from generators.kept import NOT_COUNTED, NOTHING, Rows, confirmed, line, measured, only_measured, read_claims

FIRST_PAPER = "santurkar2018"
_FEW = 3  # comparisons beside a claim that its cell tells: forty made a row of several screens


def of_first_paper(results: Path) -> Rows:
    """The claims of the first paper, whose page tells more of each than other pages do."""
    return read_claims(results / FIRST_PAPER)


def verdicts(_: str, results: Path) -> str:
    """A row for each claim, a column for each scale with confirmatory verdicts."""
    found = of_first_paper(results)
    scales = confirmed(found)
    if not scales:
        return NOTHING
    every = {claim: row["statement"] for rows in found.values() for claim, row in rows.items() if claim[0] in "CF"}
    lines = [line("", "claim", *scales), line(*["---"] * (len(scales) + 2))]
    for claim, statement in every.items():
        lines.append(line(claim, statement, *(_verdict(found[scale].get(claim)) for scale in scales)))
    return "\n".join(lines)


def outcome(_: str, results: Path) -> str:
    """What became of the claims at the scales at which they are decided by confirmatory seeds."""
    told: dict[str, list[str]] = {"Holds": [], "Fails": [], "Depends on the scale": [], "Open": []}
    for claim, of_scales in by_claim(confirmed(of_first_paper(results))).items():
        if claim[0] in "CF":
            became, where = fate(of_scales)
            told[became].append(f"{claim} ({where})")
    return "\n".join(f"- **{name}**: {', '.join(those)}" for name, those in told.items() if those) or NOTHING


def claim(name: str, results: Path) -> str:
    """A row for each part, with what it is held against, and a column for each scale."""
    found = only_measured(of_first_paper(results))
    scales = {scale: rows[name] for scale, rows in found.items() if name in rows}
    if not scales:
        return NOTHING
    called = dict.fromkeys(part for row in scales.values() for part in _parts(row))
    lines = [line("", "holds", *scales), line(*["---"] * (len(scales) + 2))]
    lines.append(
        line("**verdict**", "", *(f"**{row['verdict']}** {status_text(row)}".strip() for row in scales.values()))
    )
    for each in called:
        parts = [_parts(row).get(each) for row in scales.values()]
        bounds = dict.fromkeys(bounds_text(part) for part in parts if part)
        lines.append(line(each, " or ".join(filter(None, bounds)), *map(_cell, parts)))
    return "\n".join(lines)


def seeds(_: str, results: Path) -> str:
    """How many seeds the parts of each scale's claims rest on, which they are, and after how many looks."""
    lines = [line("scale", "seeds of a part", "which", "looks", "confirmatory claims"), line(*["---"] * 5)]
    for scale, by_id in only_measured(of_first_paper(results)).items():
        rows = list(by_id.values())
        parts = [part for row in rows for part in row["parts"] if part["n"]]
        first = _range([row["first_seed"] for row in rows])
        looks = _range([len(part["looks"]) for part in parts])
        fixed = f"{sum(row['status'] == 'confirmatory' for row in rows)} of {len(rows)}"
        lines.append(line(scale, _range([part["n"] for part in parts]), f"from {first}", looks, fixed))
    return "\n".join(lines)


def claims(name: str, results: Path) -> str:
    """A row for each claim of a paper, and in a column for each scale its verdict and what was measured.

    What stands beside a claim and does not count is told where it is little; the study's page has all of it.
    """
    found = read_claims(results / name)
    if not found:
        return NOT_COUNTED.format(f"clinometer reproduce {name}")
    statements = {claim: row["statement"] for rows in found.values() for claim, row in rows.items()}
    lines = [line("", "claim", *found), line(*["---"] * (len(found) + 2))]
    for claim, statement in statements.items():
        cells = [_verdict_and_effects(rows.get(claim)) for rows in found.values()]
        lines.append(line(claim, statement, *cells))
    return "\n".join(lines)


def _verdict_and_effects(row: dict[str, Any] | None) -> str:
    if row is None or not measured(row):
        return "not run"
    few = len(row["beside"]) <= _FEW
    shown = _parts(row if few else {**row, "beside": []})
    parts = [f"{name}: {_cell(part)}" if name else _cell(part) for name, part in shown.items()]
    more = [] if few else [f"*beside:* {len(row['beside'])} comparisons that do not count, on the study's page"]
    return "<br>".join([f"**{row['verdict']}** {status_text(row)}".strip(), *parts, *more])


def _verdict(row: dict[str, Any] | None) -> str:
    """The claim's verdict if it is confirmatory; where it is asked of both kinds of network, theirs beside it."""
    if row is None or not measured(row):
        return "not run"
    if row["status"] != "confirmatory":
        return "not confirmed"
    kinds: dict[str, set[str]] = {}
    for part in row["parts"]:
        kinds.setdefault("DLN" if part["name"].startswith("DLN") else "VGG", set()).add(part["verdict"])
    beside = [f"{kind} {_all(verdicts)}" for kind, verdicts in kinds.items()]
    beside = beside if len(kinds) > 1 and len(set(map(_all, kinds.values()))) > 1 else []
    beside += [f"Holm: {row['holm']}"] * (row["holm"] != row["verdict"])
    beside += filter(None, [seeds_needed_text(row)])
    return _marked(row["verdict"]) + f" ({', '.join(beside)})" * bool(beside)


def _marked(verdict: str) -> str:
    return f"**{verdict}**" if verdict == "fails" else verdict


def _all(verdicts: set[str]) -> str:
    return "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "undecided"


def _parts(row: dict[str, Any]) -> dict[str, Any]:
    """The parts by what they are called on the page, those that do not count after the others."""
    beside = {f"*beside:* {name_text(part)}": part for part in row["beside"]}
    return {name_text(part): part for part in row["parts"]} | beside


def _cell(part: dict[str, Any] | None) -> str:
    if part is None or not part["n"]:
        return "not measured"
    remark = f" ({part['remark']})" * bool(part["remark"])
    return f"{part['verdict']}: {effect_text(part)}, {seeds_text(part)}{remark}"


def _range(values: list[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"
