"""Which finished runs of a study are kept: those that are intact, and that the present code would make again."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from clinometer.results.finished_run import find_runs
from clinometer.runner.locks import RunLocks
from clinometer.training.as_planned import imported_now
from clinometer.training.config import RunConfig
from clinometer.training.fingerprint import differences
from clinometer.training.run_folder import run_folder

Stale = Literal["refuse", "keep", "remake"]
Facts = Callable[[RunConfig], dict[str, Any]]  # the environment.json of a run that is made now


class StaleRunsError(ValueError):
    """A study holds runs that other code, data or versions made, and nobody said what to do about them."""


def runs_to_keep(
    configs: Iterable[RunConfig],
    study: Path,
    locks: RunLocks,
    facts: Facts,
    stale: Stale,
    notify: Callable[[str], None],
) -> set[RunConfig]:
    """The finished runs that are intact, and neither stale nor to be made again.

    A damaged run is set aside, and a stale one that is to be made again is marked as unfinished.

    Args:
        configs: The runs.
        study: The study's folder.
        locks: This process's.
        facts: What would stand in the environment.json of a run that is made now.
        stale: What to do about runs that other code, data or versions made.
        notify: Called with a sentence on each run that is damaged.

    Raises:
        StaleRunsError: if there are stale runs and `stale` is "refuse".
    """
    unique = {config.key: config for config in configs}
    found = find_runs(study, unique)
    for folder, error in found.damaged.items():
        _set_aside(folder, error, locks, notify)
    intact = {unique[run.folder.name]: run for run in found.finished}
    changes = {
        config: differences(run.fingerprint, {**facts(config)["fingerprint"], **imported_now(run.fingerprint)})
        for config, run in intact.items()
        if stale != "keep"
    }
    changed = [config for config, what in changes.items() if what]
    if changed and stale == "refuse":
        reasons = dict.fromkeys(what for config in changed for what in changes[config])
        raise StaleRunsError(
            f"{len(changed)} of the {len(intact)} finished runs in {study} were made with something else than what is "
            f"here now ({'; '.join(reasons)}). Say --stale remake to make them anew, or --stale keep to mix them with "
            "what is made now, and the report will say so; or choose another folder with --to."
        )
    for config in changed:
        with locks.attempt(config.key) as acquired:
            if acquired:  # the other files are deleted when the run starts
                (run_folder(study, config) / "done.json").unlink(missing_ok=True)
    return set(intact) - set(changed)


def _set_aside(folder: Path, error: ValueError, locks: RunLocks, notify: Callable[[str], None]) -> None:
    """Rename the folder of a damaged run, unless another process is doing so or making it again."""
    with locks.attempt(folder.name) as acquired:
        if acquired:
            aside = folder.with_name(f"{folder.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            folder.replace(aside)
            notify(f"{error} It is kept as {aside.name}, and made again.")
