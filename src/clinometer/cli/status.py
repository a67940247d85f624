"""`clinometer status`."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clinometer.cli.answer import Answer
from clinometer.cli.errors import bad_input
from clinometer.cli.paths import check_path
from clinometer.results.factors import fields
from clinometer.runner.status import RunStatus, State, status
from clinometer.training.config import format_value


def status_command(folder: Path, /) -> Answer:
    """Tell how many runs are in which state, and a row for each that is not done.

    Parameters
    ----------
    folder
        The study's folder; another process may be making its runs.
    """
    with bad_input():
        check_path("status", folder)
        runs, remarks = status(folder)
    counts = Counter[State](run.state for run in runs)
    starts = sum(run.starts or 0 for run in runs)
    named = dict(zip(_names(runs), runs, strict=True))
    return Answer(
        {
            "folder": folder,
            "states": counts,
            "begun": starts,
            "damaged": remarks,
            "runs": [_facts(name, run) for name, run in named.items()],
        },
        _parts(folder, named, counts, starts, remarks),
    )


def _facts(name: str, run: RunStatus) -> dict[str, Any]:
    facts = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    return {"name": name, **facts, "log": run.log if run.error and run.log.is_file() else None}


def _parts(
    folder: Path, named: dict[str, RunStatus], counts: Counter[State], starts: int, remarks: Sequence[str]
) -> Iterator[RenderableType]:
    for remark in remarks:
        yield Text.assemble(("damaged: ", "red"), remark)
    counted = ", ".join(f"{count} {state}" for state, count in counts.items())
    yield f"{folder}: {len(named)} runs{': ' * bool(named)}{counted}; begun {starts} times"
    others = {name: run for name, run in named.items() if run.state != "done"}
    if others:
        yield _table(others)
    for name, run in others.items():
        if run.damage:
            yield Text.assemble(("damaged: ", "red"), f"{name}: {run.damage}")
        if run.error:
            log = f" (see {run.log})" if run.log.is_file() else ""
            yield Text.assemble(("failed: ", "red"), f"{name}: {run.reason}{log}")


def _table(runs: dict[str, RunStatus]) -> Table:
    table = Table("run", "state", "step", "process", "begun", "failed", box=None, header_style="dim", pad_edge=False)
    for name, run in runs.items():
        steps = run.config.get("steps")
        step = "" if run.step is None else f"{run.step + 1}" + (f" of {steps}" if isinstance(steps, int) else "")
        where = run.worker if run.state == "running" else ""
        begun = "" if run.starts is None else str(run.starts)
        table.add_row(*map(Text, (name, run.state, step, where, begun, str(run.failures or ""))))
    return table


def _names(runs: Sequence[RunStatus]) -> list[str]:
    """Each run's name: that of its folder, and the settings in which it differs from the others."""
    columns = fields([run.config for run in runs])
    varying = {name: values for name, values in columns.items() if len(set(values)) > 1}
    settings = [[f"{name} {format_value(values[i])}" for name, values in varying.items()] for i in range(len(runs))]
    return [", ".join([run.folder.name, *words]) for run, words in zip(runs, settings, strict=True)]
