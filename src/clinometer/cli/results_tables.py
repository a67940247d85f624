"""The results of a study, for a terminal and as facts: a tally of the verdicts, and the tables behind it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from clinometer.pages.agreement import ANOTHER_DRAW, agreement_table
from clinometer.pages.status import recorded_texts, status_line
from clinometer.pages.study_page.report import Results
from clinometer.pages.tables import claims_table, theorems_table

_VERBS = {"holds": ("holds", "hold"), "fails": ("fails", "fail"), "undecided": ("is undecided", "are undecided")}
_COLOURS = {"holds": "green", "fails": "red", "undecided": "yellow"}
_OPEN = " (these seeds do not tell: more may, see `clinometer plan`)"


def results_parts(results: Results, verbose: bool) -> Iterator[RenderableType]:
    """Yield what must be known of the runs, the tally, and how the verdicts agree with those kept.

    Args:
        results: What was found.
        verbose: Whether the tables of claims and theorems come before the tally.
    """
    if verbose:
        yield from _tables(results)
    for remark in results.remarks:
        yield Text(remark, "yellow")
    yield from tally_lines(results.claims)
    if results.theorems:
        verified = sum(row["verdict"] == "verified" for row in results.theorems)
        yield f"{verified} of {len(results.theorems)} theorems verified on random inputs"
    if results.claims:
        yield status_line(results.claims)
    if results.agreement:
        yield results.agreement.line


def tally_lines(claims: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Yield how many claims hold, fail and are undecided, a line each, and which.

    Example:
        >>> for line in tally_lines([{"id": "C1", "verdict": "holds"}, {"id": "C2", "verdict": "undecided"}]):
        ...     print(line)
        1 of 2 claims holds: C1
        0 of 2 claims fail
        1 of 2 claims is undecided: C2 (these seeds do not tell: more may, see `clinometer plan`)
    """
    for verdict, count in tally(claims).items() if claims else ():
        one, more = _VERBS[verdict]
        ids = ", ".join(row["id"] for row in claims if row["verdict"] == verdict)
        line = Text(f"{count} of {len(claims)} claims ")
        line.append(one if count == 1 else more, f"bold {_COLOURS[verdict]}" if count else "")
        line.append(f": {ids}" * bool(ids))
        yield line.append(_OPEN if ids and verdict == "undecided" else "", "dim")


def tally(claims: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many claims have each verdict."""
    return {name: sum(row["verdict"] == name for row in claims) for name in _VERBS}


def results_facts(results: Results, page: Path | None) -> dict[str, Any]:
    """The results for a program: the tally first, then the rows of `claims.json` and `theorems.json`."""
    return {
        "page": page,
        "tally": tally(results.claims),
        "remarks": results.remarks,
        "claims": results.claims,
        "theorems": results.theorems,
        "agreement": results.agreement,
    }


def page_text(page: Path) -> str:
    """Where the page is, for the last line of a command."""
    return f"The page, with every figure: {page}"


def _tables(results: Results) -> Iterator[RenderableType]:
    if results.claims:
        yield claims_table(results.claims)
        yield ANOTHER_DRAW
        for row in results.claims:
            yield from (Text(f"{row['id']} {remark}", "yellow") for remark in recorded_texts(row))
    if results.theorems:
        yield theorems_table(results.theorems)
    if results.agreement and results.agreement.said:
        yield agreement_table(results.agreement)
