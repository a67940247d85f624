"""Which finished runs of a study are kept: those that are intact, and that the present code would make again."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from clinometer.runner.locks import RunLocks
from clinometer.store import DamagedError
from clinometer.training.config import RunConfig
from clinometer.training.fingerprint import differences
from clinometer.training.run_folder import is_done, run_folder, verify

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
    done = [config for config in configs if is_done(run_folder(study, config))]
    intact = [config for config in done if _is_intact(run_folder(study, config), config.key, locks, notify)]
    changes = {config: _changes(run_folder(study, config), facts(config)) for config in intact if stale != "keep"}
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


def _changes(folder: Path, facts: dict[str, Any]) -> list[str]:
    """What differs between what made the run in a folder and what would make it now."""
    made_with = json.loads((folder / "environment.json").read_bytes()).get("fingerprint")
    return differences(made_with, facts["fingerprint"])


def _is_intact(folder: Path, key: str, locks: RunLocks, notify: Callable[[str], None]) -> bool:
    """Whether a finished run is what was written; if not, it is set aside."""
    try:
        verify(folder)
    except DamagedError as error:
        with locks.attempt(key) as acquired:
            if acquired:  # else another process is setting it aside, or making it again
                aside = folder.with_name(f"{folder.name}.damaged")
                shutil.rmtree(aside, ignore_errors=True)
                folder.replace(aside)
                notify(f"{error} It is kept as {aside.name}, and made again.")
        return False
    return True
