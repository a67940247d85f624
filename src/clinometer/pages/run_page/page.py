"""The page of one training run that a recorder was attached to: a verdict, its evidence, and what the run was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clinometer.pages.blocks import rank_texts
from clinometer.pages.html.engine import render
from clinometer.pages.run_page.charts import sections_of
from clinometer.pages.run_page.facts import fact_rows, facts_of_study, summary_line
from clinometer.pages.run_page.tiles import tiles_of
from clinometer.probes.ranking import Rank, Ranking, ranked
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.verdict.losses import not_finite
from clinometer.recorder.verdict.verdict import Verdict, verdict_of
from clinometer.results.run_frame import store_file
from clinometer.results.run_tables import RunRecord, read_run
from clinometer.training.files import write_whole

_ALARMS = 20  # the first ones; a run that is broken says more than anybody reads
_LAYERS = 60  # lines of a table
_SIGNS = {"inf": "∞", "nan": "–"}


@dataclass(frozen=True)
class RunReport:
    """What the page of a run says first."""

    verdict: Verdict
    rankings: dict[str, Ranking]  # the blocks of each probe that has any
    missing: Sequence[str] = ()  # what could not be read, of which the verdict knows nothing


def report_run(folder: Path, to: Path | None = None) -> RunReport:
    """Write the page of a run.

    What cannot be read or drawn is named on the page, and the rest is shown.

    Args:
        folder: The recorder's `to`, or its `rows.sqlite`.
        to: The page; `report.html` beside the rows by default. Its folder is made.

    Raises:
        ValueError: if there are no rows, or none that can be read.
    """
    home, run = store_file(folder).parent, _read(folder)
    report, file = _judged(run), to or home / "report.html"
    page = _html(run, report, home)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, page)
    return report


def judge_run(folder: Path) -> RunReport:
    """What the page of a run would say first; nothing is written.

    Args:
        folder: The recorder's `to`, or its `rows.sqlite`.

    Raises:
        ValueError: if there are no rows, or none that can be read.
    """
    return _judged(_read(folder))


def _read(folder: Path) -> RunRecord:
    run = read_run(folder)
    return replace(run, facts=run.facts or facts_of_study(store_file(folder).parent))


def _judged(run: RunRecord) -> RunReport:
    return RunReport(verdict_of(run), ranked(run.tables, run.declared), run.missing)


def _html(run: RunRecord, report: RunReport, folder: Path) -> str:
    verdict, lost = report.verdict, not_finite(run.tables, run.declared)
    at = run.diverged_at if run.diverged_at is not None else (lost[0] if lost and lost[1] else None)
    return render(
        "run.html.j2",
        name=folder.absolute().name,
        verdict=verdict,
        summary=summary_line(run),
        missing=report.missing,
        tiles=tiles_of(run, verdict),
        alarms=_told(run.alarms),
        ranks={probe: (each.title, _rows(run, each.ranks)) for probe, each in report.rankings.items()},
        sections=sections_of(run, at),
        facts=fact_rows(run.facts),
        command=f"clinometer report {folder}",
    )


def _rows(run: RunRecord, ranks: Sequence[Rank]) -> list[tuple[str, ...]]:
    """A line for each block: its name and type, and its shares."""
    shown = [rank_texts(rank) for rank in ranks[:_LAYERS]]
    rows = [
        (name, run.facts.layers.get(name, "–"), *(_SIGNS.get(each, each) for each in rest)) for name, *rest in shown
    ]
    left = len(ranks) - _LAYERS
    return [*rows, (f"and {left} more", *[""] * 5)] if left > 0 else rows


def _told(alarms: Sequence[Alarm]) -> list[str]:
    left = len(alarms) - _ALARMS
    more = [f"and {left} more, which `clinometer.load` has"] if left > 0 else []
    return [*map(str, alarms[:_ALARMS]), *more]
