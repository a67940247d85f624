"""The tables of a comparison of runs: rows of text, for a page and for a terminal."""

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clinometer.pages.compare_page.words import alarm_texts, difference_text, verdict_text, verdict_words, worth_text
from clinometer.recorder.facts.stored import run_facts
from clinometer.results.block_moves import BlockMove, BlockMoves, Highest
from clinometer.results.compare_runs import RunComparison
from clinometer.results.compared import Compared
from clinometer.studies.effect_text import number_text

Rows = list[tuple[str, ...]]

_BLOCKS = 10  # those nearest to the edge; the page has all


def number_heading(found: RunComparison) -> tuple[str, ...]:
    """Over the columns of `number_rows`."""
    base, mine = found.names
    return ("number", base, mine, "difference [95% interval]", "verdict")


def number_rows(found: RunComparison) -> Rows:
    """A row for each number that is compared: its medians over the window, their difference, and the verdict."""
    return [
        (_called(each), number_text(each.base), number_text(each.mine), difference_text(each), verdict_words(each))
        for each in found.compared
    ]


def extreme_heading(found: RunComparison) -> tuple[str, ...]:
    """Over the columns of `extreme_rows`."""
    base, mine = found.names
    return ("number", f"{base}, last", f"{mine}, last", f"{base}, worst", f"{mine}, worst")


def extreme_rows(found: RunComparison) -> Rows:
    """A row for each number: at the last step that both measured, and at its worst over all of these steps."""
    return [
        (
            _called(each),
            *map(number_text, each.last),
            *(f"{number_text(value)} at {step:.0f}" for value, step in each.worst or ()),
        )
        for each in found.compared
    ]


def block_heading(found: RunComparison) -> tuple[str, ...]:
    """Over the columns of `block_rows`."""
    base, mine = found.names
    return ("block", f"{base}, highest", "at step", f"{mine}, highest", "at step", "moved")


def block_rows(found: RunComparison, blocks: BlockMoves) -> Rows:
    """A row for each block, with its type: its highest share on each side, and how it moved."""
    named = run_facts(found.runs[1][0].facts).named
    return [(named(move.block), *_highest(move.base), *_highest(move.mine), moved_text(move)) for move in blocks.moves]


def moved_text(move: BlockMove) -> str:
    """How a block moved from base to mine.

    Example:
        >>> moved_text(BlockMove("head", (0.2, 10), (0.4, 20))), moved_text(BlockMove("head", (0.2, 10), (math.nan, 0)))
        ('×2, nearer', '–')
    """
    if math.isnan(move.factor):
        return "–"
    words = "nearer" if move.factor > 1 else "further" if move.factor < 1 else "alike"
    return f"×{number_text(move.factor)}, {words}"


def comparison_of_runs(found: RunComparison) -> Iterator[RenderableType]:
    """Yield what to print: the verdict first, then what it stands on."""
    yield Text(verdict_text(found), "bold")
    yield Text(worth_text(found))
    for name, folders in zip(found.names, found.folders, strict=True):
        yield Text(f"{name}: {folders}")
    for remark in found.remarks:
        yield Text(remark, "yellow")
    if found.settings:
        rows = [(name, *both) for name, both in found.settings.items()]
        yield _table(("what differs", *found.names), rows)
    if found.compared:
        yield _table(number_heading(found), number_rows(found))
        yield _table(extreme_heading(found), extreme_rows(found))
    for blocks in found.blocks:
        yield _table(block_heading(found), block_rows(found, blocks)[:_BLOCKS], f"{blocks.probe}: {blocks.label}")
    if any(run.alarms for side in found.runs for run in side):
        yield Text("\n".join(alarm_texts(found)))


def _table(heading: Sequence[str], rows: Rows, title: str = "") -> Table:
    table = Table(title=Text(title) if title else None, title_justify="left")
    for name in heading:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*map(Text, row))  # without markup: a module may be named [x]
    return table


def _called(each: Compared) -> str:
    unit = f", {each.curve.unit}" if each.curve.unit not in ("", each.curve.label) else ""
    return f"{each.curve.label} ({each.curve.name}{unit})"


def _highest(found: Highest) -> tuple[str, str]:
    share, step = found
    return ("–", "–") if math.isnan(share) else (number_text(share), str(step))
