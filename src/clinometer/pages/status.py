"""Whether verdicts confirm or explore: a line above the table of claims, and a mark on each claim that differs."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]  # of claims.json


def status_line(rows: Sequence[Row]) -> str:
    """What is true of most claims of a table; empty without claims.

    Example:
        >>> fixed = {"status": "confirmatory", "first_seed": 100, "recorded": "2026-11-26T11:40:00+00:00"}
        >>> status_line([fixed])
        'Confirmatory (seeds from 100 on): rules recorded 2026-11-26 11:40 UTC, before the first run.'
        >>> status_line([{"status": "exploratory", "status_reason": "seeds below 100 are for pilots"}])
        'Exploratory: seeds below 100 are for pilots.'
    """
    fixed = [row for row in rows if row["status"] == "confirmatory"]
    if fixed:
        last = max(row["recorded"] for row in fixed)[:16].replace("T", " ")
        first = fixed[0]["first_seed"]
        line = f"Confirmatory (seeds from {first} on): rules recorded {last} UTC, before the first run"
        return line + ("." if len(fixed) == len(rows) else ", except where a claim is marked exploratory.")
    reasons = {row["status_reason"].rstrip(".") for row in rows}
    return f"Exploratory: {reasons.pop()}." if len(reasons) == 1 else "Exploratory; each claim says why." * bool(rows)


def have_one_status(rows: Sequence[Row]) -> bool:
    """Whether all claims of a table have one status, for one reason: the line above it says all then.

    Example:
        >>> late = {"status": "exploratory", "status_reason": "rule written after the data"}
        >>> have_one_status([late, late]), have_one_status([late, {"status": "confirmatory", "status_reason": ""}])
        (True, False)
    """
    return len({(row.get("status"), row.get("status_reason")) for row in rows}) <= 1


def recorded_texts(row: Row) -> list[str]:
    """The rules that were recorded for a claim and are not its rule now, in words, and then its rule now; else nothing.

    Example:
        >>> rule = {"statement": "it is larger", "rule": "above the bound", "bounds": {"bound": 0.5}}
        >>> recorded = {**rule, "recorded": "2026-11-26T11:40:00+00:00", "statistic": "Student's t"}
        >>> for text in recorded_texts({**rule, "bounds": {"bound": 0.1}, "recorded_rules": [recorded]}):
        ...     print(text)
        Recorded 2026-11-26 11:40 UTC: it is larger; above the bound; bound 0.5; statistic: Student's t
        Now: it is larger; above the bound; bound 0.1
    """
    recorded = [
        f"Recorded {rule['recorded'][:16].replace('T', ' ')} UTC: {_words(rule)}; statistic: {rule['statistic']}"
        for rule in row["recorded_rules"]
    ]
    return [*recorded, f"Now: {_words(row)}"] if recorded else []


def _words(rule: Mapping[str, Any]) -> str:
    bounds = [f"{name} {'none' if bound is None else f'{bound:g}'}" for name, bound in rule["bounds"].items()]
    return "; ".join(filter(None, (rule["statement"], rule["rule"], ", ".join(bounds))))
