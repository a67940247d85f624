"""The page of a study as its template takes it, and the writing of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinometer.pages.agreement import ANOTHER_DRAW, Agreement
from clinometer.pages.html.engine import render
from clinometer.pages.study_page.claims import ShownClaims
from clinometer.pages.study_page.forest import scale
from clinometer.pages.study_page.sources import linked
from clinometer.pages.study_page.trained import TrainedArm
from clinometer.pages.tables import break_text, error_text
from clinometer.studies.figure import Figure
from clinometer.training.files import write_whole

SECTIONS = ("main", "claims", "figures", "walks", "theorems", "trained", "at-the-end", "made-with", "again")  # anchors


@dataclass(frozen=True)
class StudyPage:
    """What the page of a study shows, in its order."""

    title: str
    source: str
    about: str  # scale and data
    command: str  # what makes it again
    citation: str  # BibTeX of the paper and of clinometer
    claims: ShownClaims
    verdicts: str  # how many claims hold, in a sentence; empty without claims
    status: str  # whether the verdicts confirm or explore
    figures: Mapping[str, Figure]
    read: str = ""  # what was read of a paper
    remarks: Sequence[str] = ()  # what must be known first, and what could not be made
    agreement: Agreement | None = None  # with claims that were decided elsewhere
    walks: Figure | None = None  # the loss along the steps of each arm
    theorems: Sequence[Mapping[str, Any]] = ()
    arms: Sequence[TrainedArm] = ()
    finals: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # arm to quantity to value
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)


def write(page: StudyPage, path: Path) -> Path:
    """Write a page into one self-contained file; a page that was there is replaced as a whole."""
    functions = (linked, scale, break_text, error_text, final_rows, trained_rows)
    named = {function.__name__: function for function in functions}
    write_whole(path, render("study.html.j2", page=page, another_draw=ANOTHER_DRAW, **named))
    return path


def final_rows(finals: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """A row for each quantity that any arm has: its name, then its value in each arm."""
    names = dict.fromkeys(name for values in finals.values() for name in values)
    return [[name, *(values.get(name, "–") for values in finals.values())] for name in names]


def trained_rows(arms: Sequence[TrainedArm]) -> list[tuple[str | int, ...]]:
    """A row for each arm."""
    return [(arm.name, arm.seeds, arm.diverged, arm.loss, arm.accuracy, arm.test, arm.left_chance) for arm in arms]
