"""The page of one training run that a recorder was attached to: what was measured, and which block broke first."""

from pathlib import Path

from clinometer.plots.matplotlib import save
from clinometer.probes.field import Declared, declared_in
from clinometer.report import page
from clinometer.report.blocks import Ranking, Tables, ranked
from clinometer.report.run_figures import figures_of
from clinometer.results.finished_run import check_run
from clinometer.store import Store
from clinometer.training.environment import environment


def tables_of(folder: Path) -> tuple[Tables, Declared]:
    """All rows of `folder/rows.sqlite` by probe, and the declarations of their fields; ValueError without a file."""
    check_run(folder)
    store = Store(folder / "rows.sqlite", read_only=True)
    try:
        return {probe: store.read(probe) for probe in store.probes()}, declared_in(store.meta)
    finally:
        store.close()


def report_run(folder: Path) -> dict[str, Ranking]:
    """Draw what the recorder saw and write `folder/report.html`; return the blocks of each probe that has any, ranked.

    Args:
        folder: The recorder's `to`.

    Raises:
        ValueError: if it holds no rows.
    """
    tables, declared = tables_of(folder)
    rankings = ranked(tables, declared)
    figures = figures_of(tables, declared)
    for name, figure in figures.items():
        save(figure, folder / "figures" / name)
    steps = sorted({int(step) for table in tables.values() for step in table["step"]})
    page.write(
        page.Page(
            title=f"Run {folder.name}",
            source=f"{len(steps)} steps measured, {steps[0]} to {steps[-1]}" if steps else "No step was measured yet.",
            about=f"Probes: {', '.join(tables)}.",
            command=f"clinometer report {folder}",
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
