"""`clinometer status`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from clinometer.cli.console import console
from clinometer.cli.errors import bad_input
from clinometer.results.factors import fields
from clinometer.runner.status import RunStatus, status
from clinometer.training.config import format_value


def status_command(folder: Path, /) -> int:
    """Print how many runs are in which state, and a row for each that is not done.

    Parameters
    ----------
    folder
        The study's folder; another process may be making its runs.
    """
    with bad_input():
        runs, remarks = status(folder)
    for remark in remarks:
        console.print(Text.assemble(("damaged: ", "red"), remark), soft_wrap=True)
    counts = Counter(run.state for run in runs)
    starts = sum(run.starts or 0 for run in runs)
    counted = ", ".join(f"{count} {state}" for state, count in counts.items())
    console.print(Text(f"{folder}: {len(runs)} runs{': ' * bool(runs)}{counted}; begun {starts} times"), soft_wrap=True)
    others = {name: run for name, run in zip(_names(runs), runs, strict=True) if run.state != "done"}
    if others:
        console.print(_table(others))
    for name, run in others.items():
        if run.damage:
            console.print(Text.assemble(("damaged: ", "red"), f"{name}: {run.damage}"), soft_wrap=True)
        if run.error:
            log = f" (see {run.log})" if run.log.is_file() else ""
            console.print(Text.assemble(("failed: ", "red"), f"{name}: {run.reason}{log}"), soft_wrap=True)
    return 0


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
