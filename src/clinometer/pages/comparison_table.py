"""The comparison of two studies, on a terminal."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clinometer.results.compare import Comparison, Difference
from clinometer.results.statistics import Interval


def comparison_parts(found: Comparison, one: Path, other: Path) -> Iterator[RenderableType]:
    """Yield what to print of a comparison: what the two studies have in common first, then the differences.

    Args:
        found: The comparison.
        one: The first study's folder.
        other: The second's.
    """
    same = sum(pair.parts_at is None for pair in found.pairs)
    yield Text(f"1: {one}\n2: {other}")
    yield Text(
        f"{len(found.pairs)} runs in common, {same} of them identical bit for bit; "
        f"{found.alone[0]} only in 1, {found.alone[1]} only in 2."
    )
    if found.unshared:
        yield Text(f"Paired without regard to what only one of them has: {', '.join(found.unshared)}.")
    if found.versions:
        yield _two("made with", found.versions)
    if same < len(found.pairs):
        yield _first_differences(found)
    if found.differences:
        yield _differences(found.differences)
    if found.verdicts:
        agree = sum(ours == theirs for ours, theirs in found.verdicts.values())
        yield Text(f"{agree} of {len(found.verdicts)} claims have the same verdict.")
        yield _two("claim", found.verdicts)


def _two(name: str, rows: Mapping[str, tuple[str, str]]) -> Table:
    table = Table()
    for heading in (name, "1", "2"):
        table.add_column(heading)
    for row, (ours, theirs) in rows.items():
        style = "" if ours == theirs else "bold"
        table.add_row(Text(row), Text(ours, style), Text(theirs, style))
    return table


def _first_differences(found: Comparison) -> Table:
    """Arm by arm: how many runs are identical, and at which step the others begin to differ."""
    table = Table()
    for heading in ("arm", "runs", "identical", "the others part at step"):
        table.add_column(heading)
    runs = Counter(pair.arm for pair in found.pairs)
    for arm, count in runs.items():
        parts = [pair.parts_at for pair in found.pairs if pair.arm == arm and pair.parts_at is not None]
        if parts:
            table.add_row(Text(arm), str(count), str(count - len(parts)), ", ".join(map(str, sorted(parts))))
    return table


def _differences(rows: Sequence[Difference]) -> Table:
    table = Table()
    for heading in ("arm", "quantity", "1", "2", "2 - 1 [95% interval over seeds]", "n"):
        table.add_column(heading)
    before = ""
    for row in rows:
        numbers = (f"{row.one:.4g}", f"{row.other:.4g}", difference_text(row.difference), str(row.difference.n))
        table.add_row(Text("" if row.arm == before else row.arm), Text(row.quantity), *map(Text, numbers))
        before = row.arm
    return table


def difference_text(found: Interval) -> str:
    """A difference with its interval.

    Example:
        >>> difference_text(Interval(0.5, 0.25, 0.75, 3)), difference_text(Interval(0.5, -math.inf, math.inf, 1))
        ('0.5 [0.25, 0.75]', '0.5 [no interval]')
        >>> difference_text(Interval(math.nan, math.nan, math.nan, 3))
        'not finite'
    """
    if math.isnan(found.value):
        return "not finite"
    if math.isinf(found.low) and math.isinf(found.high):
        return f"{found.value:.3g} [no interval]"
    return f"{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"
