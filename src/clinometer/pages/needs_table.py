"""The seeds and hours that each claim of a study needs, as a table for a terminal."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clinometer.studies.claim_needs import ClaimNeed, costs
from clinometer.studies.comparison import Comparison
from clinometer.studies.effect_text import centre_text, name_text, number_text
from clinometer.studies.pilot import Cost, Pilot


def needs_parts(needs: Sequence[ClaimNeed], pilot: Pilot, power: float, most: int) -> Iterator[RenderableType]:
    """Yield what to print of the claims' needs: the table, then the totals and how to read it.

    Args:
        needs: What each claim needs.
        pilot: What they were told from.
        power: The probability that a claim is decided.
        most: The largest number of seeds that was considered.
    """
    table = Table()
    for heading in ("claim", "verdict now", "effect in the pilot", f"seeds for {power:.0%} power", "hours"):
        table.add_column(heading)
    for need in needs:
        hours = "" if need.decided or not need.needed or need.hopeless else hours_text(*costs([need], pilot, most))
        cells = (need.claim.id, _verdict_text(need), _effect_text(need), seeds_cell(need, most), hours)
        table.add_row(*map(Text, cells))
    yield table
    groups = {"To decide the open claims": [need for need in needs if not need.decided]}
    if any(need.decided and not need.confirmed for need in needs):
        groups["To decide all of them by new seeds"] = list(needs)
    for what, group in groups.items():
        if any(need.needed and not need.hopeless for need in group):
            yield Text(f"{what}, in hours of one process: {hours_text(*costs(group, pilot, most))}.")
    yield Text(
        "The first number is for the pilot's effect, the second for a cautious one, below which one true effect in "
        "five lies. They are new seeds, such as --first-seed 100 makes, looked at once. Nothing was decided here."
    )


def seeds_cell(need: ClaimNeed, most: int) -> str:
    """How many seeds a claim needs, or that none do."""
    told = need.remark and f"not known: {need.remark}"
    if need.needed and need.needed.likely:
        told = _range(need.needed.likely, need.needed.cautious or f"more than {most}")
    elif need.needed:
        told = f"more than {most}: hopeless as posed"
    if not need.decided:
        return told
    return "0 more" if need.confirmed else f"0 more; to confirm it: {told}"


def hours_text(likely: Cost, cautious: Cost) -> str:
    """Two costs in hours; arms that no finished run has timed are counted by number.

    Example:
        >>> hours_text(Cost(3600, 0, 2), Cost(9000, 0, 2)), hours_text(Cost(90, 1, 2), Cost(90, 1, 2))
        ('1 to 2.5', '0.025 + 1 arm')
    """
    if likely.silent == likely.arms:
        return "not known"
    hours = _range(*(number_text(float(f"{cost.seconds / 3600:.2g}")) for cost in (likely, cautious)))
    return hours + (f" + {likely.silent} arm{'s' * (likely.silent > 1)}" if likely.silent else "")


def _range(low: object, high: object) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def _verdict_text(need: ClaimNeed) -> str:
    return f"{need.row['verdict']}, n = {need.row.get('n', 'unknown')}" if need.row else "not looked at"


def _effect_text(need: ClaimNeed) -> str:
    """The effect of the part that decides how many seeds are needed."""
    if need.needed is None:
        return ""
    part = need.needed.part
    named = name_text({"name": part.name, "unit": part.unit.name})
    return f"{_centre(part)}, n = {len(part.samples)}: {named}"


def _centre(part: Comparison) -> str:
    middle = float(np.median(part.samples) if part.method == "sign" else np.mean(part.samples))
    shown = part.unit.shown(middle)
    return centre_text({"value": shown, "unit": part.unit.name}) if np.isfinite(shown) else "no finite centre"
