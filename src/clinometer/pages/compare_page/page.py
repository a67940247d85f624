"""The page of two runs held against each other, or of two kinds of runs: a verdict first, then what it stands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from clinometer.pages.compare_page.tables import (
    block_heading,
    block_rows,
    extreme_heading,
    extreme_rows,
    number_heading,
    number_rows,
)
from clinometer.pages.compare_page.words import alarm_texts, difference_text, reason_text, verdict_text, worth_text
from clinometer.pages.html.engine import render
from clinometer.pages.html.marks import interval_bar, sparkline
from clinometer.plots.side_figures import figures_of_sides
from clinometer.results.compare_runs import RunComparison
from clinometer.results.compared import Compared
from clinometer.studies.effect_text import number_text
from clinometer.studies.figure import Figure
from clinometer.training.files import write_whole

_TILES = 4
_READING = (
    "The bar is the 95% interval of the difference; the shaded side is where mine would be better. Two runs are "
    "compared step by step: the steps are cut into six parts, and the interval is Student's over the parts' medians. "
    "Where steps are few, or neighbours so alike that they count for few, nothing is decided. docs/compare.md tells "
    "how often this is wrong."
)
_READINGS = {
    "numbers": "One colour a side. A share of 1 is the edge: from there on the step is longer than it may be.",
    "blocks": "Each block takes its part of the step alone. The nearest to the edge on either side comes first.",
}


@dataclass(frozen=True)
class Tile:
    """A number at the head of the page."""

    label: str
    value: str
    unit: str
    spark: Markup
    edge: str
    state: str


@dataclass(frozen=True)
class ComparePage:
    """What the template shows."""

    base: str
    mine: str
    folders: tuple[str, str]
    verdict: str
    worth: str
    tiles: Sequence[Tile]
    remarks: Sequence[str]
    number_heading: Sequence[str]
    numbers: Sequence[tuple[Sequence[Any], str, str]]  # cells, verdict, and what follows it
    extreme_heading: Sequence[str]
    extremes: Sequence[Sequence[str]]
    reading: str
    figures: Mapping[str, Figure]
    readings: Mapping[str, str]
    block_heading: Sequence[str]
    blocks: Sequence[tuple[str, Sequence[Sequence[str]]]]
    settings: Sequence[Sequence[str]]
    alarms: Sequence[str]
    command: str

    @property
    def contents(self) -> list[tuple[str, str]]:
        """The sections that there are: their ids and names."""
        sections = [
            (bool(self.remarks), "first", "To know first"),
            (True, "numbers", "Did it help"),
            (bool(self.figures), "charts", "Laid over each other"),
            (bool(self.blocks), "blocks", "Which block moved"),
            (True, "differs", "What differs"),
            (True, "alarms", "Alarms"),
        ]
        return [(id_, name) for there, id_, name in sections if there]


def write_comparison(found: RunComparison, to: Path, command: str = "") -> Path:
    """Write the page of a comparison as one file.

    Args:
        found: The comparison.
        to: The file; its folder is made.
        command: What makes it again.
    """
    base, mine = found.names
    sides = dict(zip(found.names, found.runs, strict=True))
    page = ComparePage(
        base=base,
        mine=mine,
        folders=found.folders,
        verdict=verdict_text(found),
        worth=worth_text(found),
        tiles=[_tile(each, base) for each in found.compared[:_TILES]],
        remarks=found.remarks,
        number_heading=("number", base, mine, "better is shaded", *number_heading(found)[3:]),
        numbers=[
            ((*row[:3], _bar(each), row[3]), each.verdict, reason_text(each))
            for each, row in zip(found.compared, number_rows(found), strict=True)
        ],
        extreme_heading=extreme_heading(found),
        extremes=extreme_rows(found),
        reading=_READING,
        figures=figures_of_sides(sides),
        readings=_READINGS,
        block_heading=block_heading(found),
        blocks=[(f"{blocks.probe}: {blocks.label}", block_rows(found, blocks)) for blocks in found.blocks],
        settings=[(name, *both) for name, both in found.settings.items()],
        alarms=alarm_texts(found),
        command=command,
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    write_whole(to, render("compare.html.j2", page=page))
    return to


def _tile(each: Compared, base: str) -> Tile:
    curve = each.curve
    return Tile(
        label=curve.label,
        value=number_text(each.mine),
        unit="" if curve.unit == curve.label else curve.unit,
        spark=sparkline(each.mine_values.tolist(), curve.limit),
        edge=f"{base}: {number_text(each.base)}; {difference_text(each)}",
        state=each.verdict,
    )


def _bar(each: Compared) -> Markup:
    """The interval of the difference, beside the side on which mine would be better."""
    found = each.difference
    none = 1.0 if each.scale == "factor" else 0.0
    better = {"highest": (None, none), "lowest": (none, None), "": (none, none)}[each.curve.worst]
    scale = "log" if each.scale == "factor" else "linear"
    return interval_bar(found.value, found.low, found.high, better, scale, each.verdict)
