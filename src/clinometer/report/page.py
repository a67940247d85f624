"""One self-contained page: claims, figures, theorems, how far each arm had trained, settings, versions, the command."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from clinometer.probes.ranking import Rank
from clinometer.report.agreement import ANOTHER_DRAW, Agreement
from clinometer.report.blocks import rank_texts
from clinometer.report.status import have_one_status, recorded_texts, status_line
from clinometer.report.tables import break_text, error_text, judged_text, status_text
from clinometer.results.sanitize import plain
from clinometer.studies.effect_text import effect_text, name_text, seeds_text
from clinometer.studies.figure import Figure
from clinometer.training.files import write_whole


@dataclass(frozen=True)
class Arm:
    """How far an arm of the study had trained."""

    name: str
    seeds: int
    diverged: int
    loss: str  # training loss of the first step and of the last
    accuracy: str = "–"  # final training accuracy, mean and range over seeds
    test: str = "–"  # final test accuracy
    left_chance: str = "–"  # the step at which its accuracy first exceeded twice chance


@dataclass(frozen=True)
class Page:
    """What a report shows."""

    title: str
    source: str
    about: str  # scale and data
    command: str  # what makes it again
    claims: Sequence[Mapping[str, Any]]
    arms: Sequence[Arm]
    figures: Mapping[str, Figure]
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    read: str = ""  # what was read of a paper
    forest: Figure | None = None  # of the claims, in `figures/claims.png`
    theorems: Sequence[Mapping[str, Any]] = ()
    agreement: Agreement | None = None  # with claims that were decided elsewhere
    finals: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, dict[str, str]]
    )  # arm to quantity to value
    missing: Sequence[str] = ()  # what could not be made, and why
    alarms: Sequence[str] = ()  # what alerts said of a run, in words
    ranks: Mapping[str, Sequence[Rank]] = field(default_factory=dict)  # what a share means -> blocks, the worst first


def write(page: Page, folder: Path) -> Path:
    """Write `folder/report.html`, with the figures of `folder/figures` inside it.

    Args:
        page: What to show.
        folder: The study's folder.
    """

    def image(name: str) -> str:
        return base64.b64encode((folder / "figures" / f"{name}.png").read_bytes()).decode()

    path = folder / "report.html"
    about_claims = (
        effect_text,
        seeds_text,
        name_text,
        judged_text,
        status_text,
        have_one_status,
        status_line,
        recorded_texts,
    )
    functions = (*about_claims, break_text, error_text, final_rows, rank_rows, image)
    named = {function.__name__: function for function in functions}
    write_whole(path, _template().render(page=page, another_draw=ANOTHER_DRAW, **named))
    return path


def _template() -> Template:
    """The template in `page.html.j2`, which escapes every value."""
    engine = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_as_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return engine.get_template("page.html.j2")


def _as_text(value: object) -> str:
    """A value as text without control characters; the engine escapes it afterwards, unless it is markup of ours."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {of}" for name, of in value.items())
    return plain(str(value))


def final_rows(finals: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """A row for each quantity that any arm has: its name, then its value in each arm."""
    names = dict.fromkeys(name for values in finals.values() for name in values)
    return [[name, *(values.get(name, "–") for values in finals.values())] for name in names]


def rank_rows(ranks: Sequence[Rank]) -> list[tuple[str, ...]]:
    """A row for each block."""
    return [rank_texts(rank) for rank in ranks]
