"""`clinometer.plot`: what a run recorded, as one matplotlib figure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clinometer.extras import need
from clinometer.plots.run_figures import figures_of
from clinometer.plots.side_figures import figures_of_sides
from clinometer.probes.ranking import Tables
from clinometer.recorder.recorder import Recorder
from clinometer.results.curves import read_sides
from clinometer.results.run_or_study import run_file
from clinometer.results.run_tables import tables_in, tables_of
from clinometer.results.sides import Given, sides_of
from clinometer.store import Store
from clinometer.studies.figure import Figure


def plot(what: str | Path | Recorder | Store | Given, *, probes: str | Iterable[str] | None = None) -> Any:
    """Draw what a run recorded: its numbers, its layers and blocks, its distributions, as the probes declare them.

    A notebook shows the figure where it is the last line of a cell; `figure.savefig("mine.pdf")` writes it. Neither
    pyplot nor a backend is touched. Of several runs, `{"base": "runs/a", "mine": "runs/b"}`, the headline numbers and
    the blocks nearest to the edge are laid over each other, one colour a run.

    Args:
        what: The folder that a recorder writes to, its `rows.sqlite`, the recorder itself, or a `Store`; or a mapping
            from names to folders, or to lists of them, one for each seed.
        probes: The names of the rows to draw, such as "landscape" or ["headroom", "step_norms"]; all by default.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: if the folder is not there, or holds no run; if no step was measured yet; or if there are no rows
            of one of the probes.
        ImportError: if matplotlib is not installed: `pip install 'clinometer[report]'`.

    Example:
        >>> store = Store()
        >>> for step in range(0, 300, 100):
        ...     store.append(step, {"train": {"loss": 2.0 / (1 + step)}})
        >>> figure = plot(store)
        >>> [axes.get_title() for axes in figure.axes]
        ['train: loss']
    """
    need("matplotlib", "report")
    from clinometer.plots.together import draw_together  # here, since `import clinometer` works without matplotlib

    names = [probes] if isinstance(probes, str) else None if probes is None else list(probes)
    title, figures = _several(what, names) if isinstance(what, Mapping) else _one(what, names)
    if not figures:
        raise ValueError(f"{title} has nothing that can be drawn in its rows of {', '.join(names or ['all probes'])}.")
    return draw_together(title, list(figures.values()))


def _one(what: Any, probes: Sequence[str] | None) -> tuple[str, dict[str, Figure]]:
    title, (tables, declared, alarms) = _read(what)
    return title, figures_of(_chosen(tables, probes, title), declared, alarms)


def _several(given: Given, probes: Sequence[str] | None) -> tuple[str, dict[str, Figure]]:
    sides = {
        name: [replace(run, tables=_chosen(run.tables, probes, str(run.folder))) for run in runs]
        for name, runs in read_sides(sides_of(given)).items()
    }
    return " and ".join(sides), figures_of_sides(sides)


def _read(what: Any) -> tuple[str, Any]:
    """What to call a run, and what it holds."""
    if isinstance(what, Recorder):
        what.settle()
        return str(what.store.path.parent if what.store.path else "This run"), tables_in(what.store)
    if isinstance(what, Store):
        return str(what.path or "This store"), tables_in(what)
    if isinstance(what, str | Path):
        return str(what), tables_of(run_file(what, "clinometer.report(path) writes its page, and plot draws one run"))
    raise TypeError(f"plot takes a run's folder, a Recorder or a Store; found {type(what).__name__}.")


def _chosen(tables: Tables, probes: Sequence[str] | None, title: str) -> Tables:
    """The tables of these probes."""
    if not tables:
        raise ValueError(f"{title} has nothing to draw: no step was measured yet.")
    names = list(tables if probes is None else probes)
    for name in names:
        if name not in tables:
            raise ValueError(f"{title} has no rows of {name!r}; it has those of {', '.join(tables)}.")
    return {name: tables[name] for name in names}
