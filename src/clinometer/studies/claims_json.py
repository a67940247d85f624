"""The rows of `claims.json`: a claim and its finding as JSON, and the finding again from its row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from clinometer.results.run_table import RunTable
from clinometer.results.sequential import LEVEL
from clinometer.results.statistics import Interval, holm
from clinometer.studies.claims import Claim, Evidence, Finding, Looks, Part, Variants, Verdict, evidence_of, finding_of
from clinometer.studies.seeds_needed import seeds_needed
from clinometer.training.files import finite

TEXTS = ("id", "statement", "source", "rule")


def claim_rows(
    claims: Sequence[Claim], runs: RunTable, variants: Variants, looks: Mapping[str, Looks] | None = None
) -> list[dict[str, Any]]:
    """Decide claims by the finished runs, with the earlier looks at each by its id; a row each."""
    rows: list[dict[str, Any]] = []
    for claim in claims:
        evidence = evidence_of(claim, runs, variants)
        finding = finding_of(evidence, (looks or {}).get(claim.id))
        if finding.verdict == "undecided" and isinstance(evidence, Evidence):
            finding = replace(finding, seeds_needed=_seeds_needed(evidence))
        rows.append(to_row(claim, finding))
    return rows


def with_holm(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a table, each with its verdict where all claims of the table together err in at most 5%, by Holm."""
    adjusted = holm([_number(row["p"], math.nan) for row in rows])
    return [
        {**row, "holm": row["verdict"] if p <= LEVEL else "undecided"} for row, p in zip(rows, adjusted, strict=True)
    ]


def to_row(claim: Claim, finding: Finding) -> dict[str, Any]:
    """A claim and its finding as JSON; numbers that are not finite become null."""
    return {
        **{name: getattr(claim, name) for name in TEXTS},
        "bounds": {name: finite(value) for name, value in claim.bounds.items()},
        "verdict": finding.verdict,
        "p": finite(finding.p),
        **_numbers(finding.parts[0].effect),
        "unit": finding.parts[0].unit,
        "quantity": finding.parts[0].name,
        "parts": [_part_row(part) for part in finding.parts],
        "beside": [_part_row(part) for part in finding.beside],
        "note": finding.note,
        "seeds_needed": finding.seeds_needed,
    }


def deciding_part(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a row that tells best why its verdict is so: the first of that verdict, else the first that is open.

    A claim whose one part fails may be undecided, as its failing is held against the number of parts.

    Example:
        >>> parts = [{"name": "one", "verdict": "holds"}, {"name": "two", "verdict": "fails"}]
        >>> [deciding_part({"verdict": verdict, "parts": parts})["name"] for verdict in ("holds", "undecided")]
        ['one', 'two']
    """
    parts: Sequence[Mapping[str, Any]] = row["parts"]
    same = [part for part in parts if part["verdict"] == row["verdict"]]
    return [*same, *(part for part in parts if part["verdict"] != "holds"), *parts][0]


def to_finding(row: Mapping[str, Any]) -> Finding:
    """The finding of a row.

    Raises:
        LookupError, TypeError or ValueError: if the row is damaged.

    Example:
        >>> from clinometer.studies.claims import Evidence, judge
        >>> from clinometer.studies.comparison import above
        >>> evidence = Evidence((above("difference", [1.0, 1.1, 0.9]),), "a note")
        >>> finding, claim = judge(evidence), Claim("C1", "it is positive", "", "above 0", (), lambda *_: evidence)
        >>> to_finding(to_row(claim, finding)) == finding
        True
    """
    parts, beside = (tuple(_part(part) for part in row[name]) for name in ("parts", "beside"))
    return Finding(parts, str(row["note"]), beside, row["seeds_needed"])


def _seeds_needed(evidence: Evidence) -> dict[str, int | None] | None:
    needed = seeds_needed(evidence) if evidence.parts else None
    return needed and {"likely": needed.likely, "cautious": needed.cautious}


def _part_row(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "verdict": part.verdict,
        **_numbers(part.effect),
        "unit": part.unit,
        "bounds": [finite(end) for end in part.bounds],
        "samples": [finite(sample) for sample in part.samples],
        "p": finite(part.p),
        "looks": list(part.looks),
        "remark": part.remark,
        "compared": _numbers(part.interval),
    }


def _numbers(found: Interval) -> dict[str, float | int | None]:
    return {name: finite(getattr(found, name)) for name in ("value", "low", "high")} | {"n": found.n}


def _part(row: Mapping[str, Any]) -> Part:
    if row["verdict"] not in get_args(Verdict):
        raise ValueError(f"no verdict {row['verdict']!r}")
    low, high = row["bounds"]
    return Part(
        str(row["name"]),
        _interval(row["compared"]),
        row["verdict"],
        _interval(row),
        str(row["unit"]),
        (_number(low, -math.inf), _number(high, math.inf)),
        tuple(_number(sample, math.nan) for sample in row["samples"]),
        _number(row["p"], math.nan),
        tuple(int(look) for look in row["looks"]),
        str(row["remark"]),
    )


def _interval(row: Mapping[str, Any]) -> Interval:
    low, high = _number(row["low"], -math.inf), _number(row["high"], math.inf)
    return Interval(_number(row["value"], math.nan), low, high, int(row["n"]))


def _number(value: Any, absent: float) -> float:
    return absent if value is None else float(value)
