"""The page of one training run that a recorder was attached to: what its landscape did, and which block broke first."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from clinometer.plots.matplotlib import save
from clinometer.report import page
from clinometer.report.blocks import MEANING, Rank, Tables, Values, ranked, shares
from clinometer.store import Store
from clinometer.studies.figure import Figure, Panel, Series
from clinometer.training.environment import environment

_ALONG = {"landscape": "the gradient", "landscape_update": "the update", "landscape_random": "a random direction"}
_SHOWN_BLOCKS = 6


def tables_of(folder: Path) -> Tables:
    """All rows of `folder/rows.sqlite`, by probe; ValueError if there is none."""
    store = Store(folder / "rows.sqlite", read_only=True)
    try:
        return {probe: store.read(probe) for probe in store.probes()}
    finally:
        store.close()


def report_run(folder: Path) -> dict[str, list[Rank]]:
    """Draw what the recorder saw and write `folder/report.html`; the blocks, ranked, if any were measured.

    Args:
        folder: The recorder's `to`.

    Raises:
        ValueError: if it holds no rows.
    """
    tables = tables_of(folder)
    ranks = ranked(tables)
    drawn = {"landscape": _landscape(tables), "blocks": _blocks(tables, ranks)}
    figures = {name: figure for name, figure in drawn.items() if figure}
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
            ranks={MEANING[probe]: rows for probe, rows in ranks.items()},
        ),
        folder,
    )
    return ranks


def _landscape(tables: Tables) -> Figure | None:
    panels = [*_lines(tables), *_rooms(tables)]
    caption = "Bands are ranges over the walk's step sizes. Dotted: where the step is as long as it may be."
    return Figure("What the landscape did", caption, tuple(panels)) if panels else None


def _lines(tables: Tables) -> Iterable[Panel]:
    for probe, along in _ALONG.items():
        if probe not in tables:
            continue
        table = tables[probe]
        step = table["step"]
        loss = Series("loss", 0, step, table["loss"], table["loss_min"], table["loss_max"])
        yield Panel(f"Loss, along {along}", "step", "loss", (loss,), yscale="log")
        gap = Series("change of the gradient", 1, step, None, table["gap_min"], table["gap_max"])
        norm = Series("gradient", 1, step, table["grad_norm"])
        yield Panel(f"Gradient, along {along}", "step", "norm", (gap, norm), yscale="log")
        beta = Series("β·lr/2", 2, step, table["beta_lr_half"])
        yield Panel(f"Smoothness, along {along}", "step", "β·lr/2", (beta, _edge(step)), yscale="log")


def _rooms(tables: Tables) -> Iterable[Panel]:
    if "headroom" in tables:
        table = tables["headroom"]
        step = table["step"]
        found = (
            Series("headroom of the loss", 3, step, table["loss"]),
            Series("headroom of the angle", 5, step, table["angle"]),
        )
        yield Panel("Headroom", "step", "multiples of the step", (*found, _edge(step)), yscale="log")


def _blocks(tables: Tables, ranks: dict[str, list[Rank]]) -> Figure | None:
    panels: list[Panel] = []
    colours: dict[str, int] = {}  # a block has one colour in both panels
    for probe, rows in ranks.items():
        table = tables[probe]
        values, names = shares(probe, table), [str(name) for name in table["block"][0]]
        values = np.where(values == 0, np.nan, values)  # infinite headroom has no place on a logarithmic axis
        for rank in rows[:_SHOWN_BLOCKS]:
            colours.setdefault(rank.block, len(colours))
        lines = [
            Series(rank.block, colours[rank.block], table["step"], values[:, names.index(rank.block)])
            for rank in rows[:_SHOWN_BLOCKS]
        ]
        label = MEANING[probe].partition(" of ")[0]
        panels.append(Panel(probe, "step", label, (*lines, _edge(table["step"])), yscale="log"))
    caption = f"The {_SHOWN_BLOCKS} blocks nearest to the edge; the table has them all."
    return Figure("Which block", caption, tuple(panels), columns=2) if panels else None


def _edge(step: Values) -> Series:
    return Series("edge", "reference", step, np.ones(len(step)), dashed=True)
