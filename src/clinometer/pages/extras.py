"""Writes the extras of a study that were asked for, into a folder each beside its page."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from clinometer.results.run_table import RunTable
from clinometer.studies.plan import Plan
from clinometer.training.errors import check_choice


def check_extras(plan: Plan, names: Iterable[str]) -> None:
    """ValueError unless the study has these extras, and the plan the runs that they need."""
    planned = {dataclasses.replace(config, seed=0) for config in plan.configs}
    for name in names:
        extra = plan.study.extras[check_choice("extra", name, plan.study.extras)]
        if not planned.issuperset(dataclasses.replace(arm, seed=0) for arm in extra.arms(plan.variants)):
            raise ValueError(f"--{name} needs runs that --only leaves out: it writes {extra.about}. Name more, or all.")


def write_extras(plan: Plan, folder: Path, names: Iterable[str]) -> list[Path]:
    """Write extras from the runs of a study that are done.

    Args:
        plan: What was planned.
        folder: The study's folder; each extra gets a folder of its name in it.
        names: Which.

    Returns:
        The files.

    Raises:
        MissingRunsError: a `ValueError`, if no run that an extra needs is done.
    """
    runs = RunTable.read(folder, plan.configs)
    written: list[Path] = []
    for name in names:
        into = folder / name
        into.mkdir(parents=True, exist_ok=True)
        written += plan.study.extras[name].write(runs, plan.variants, into)
    return written
