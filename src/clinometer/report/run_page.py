"""The page of one training run that a recorder was attached to: its alarms, what was measured, and what broke first."""

from collections.abc import Sequence
from pathlib import Path

from clinometer.plots.matplotlib import save
from clinometer.plots.run_figures import figures_of
from clinometer.probes.ranking import Ranking, ranked
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.report import page
from clinometer.results.run_tables import tables_of
from clinometer.training.environment import environment

_ALARMS = 20  # the first ones; a run that is broken says more than anybody reads


def report_run(folder: Path) -> dict[str, Ranking]:
    """Draw what the recorder saw and write `folder/report.html`; return the blocks of each probe that has any, ranked.

    Args:
        folder: The recorder's `to`.

    Raises:
        ValueError: if it holds no rows.
    """
    tables, declared, alarms = tables_of(folder)
    rankings = ranked(tables, declared)
    figures = figures_of(tables, declared, alarms[:_ALARMS])
    for name, figure in figures.items():
        save(figure, folder / "figures" / name)
    steps = sorted({int(step) for table in tables.values() for step in table["step"]})
    page.write(
        page.Page(
            title=f"Run {folder.name}",
            source=f"{len(steps)} steps measured, {steps[0]} to {steps[-1]}" if steps else "No step was measured yet.",
            about=f"Probes: {', '.join(tables)}.",
            command=f"clinometer report {folder}",
            alarms=_told(alarms),
            claims=[],
            arms=[],
            figures=figures,
            settings={},
            environment=environment(),
            ranks={f"{probe}: {ranking.title}": ranking.ranks for probe, ranking in rankings.items()},
        ),
        folder,
    )
    return rankings


def _told(alarms: Sequence[Alarm]) -> list[str]:
    left = len(alarms) - _ALARMS
    more = [f"and {left} more, which `clinometer.load` has"] if left > 0 else []
    return [*map(str, alarms[:_ALARMS]), *more]
