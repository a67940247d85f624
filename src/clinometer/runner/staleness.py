"""What a study's folder holds already: which runs are done, which of them are whole, and which were made otherwise."""

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
Facts = Callable[[RunConfig], dict[str, Any]]  # what stands in the environment.json of a run that is made now


class StaleRunsError(ValueError):
    """A study holds runs that other code, data or versions made, and was not told what to do about them."""


def survey(
    configs: Iterable[RunConfig], study: Path, leases: RunLocks, facts: Facts, stale: Stale, say: Callable[[str], None]
) -> set[RunConfig]:
    """Those of the configs whose runs are done, whole, and as they would be made now, or to be kept all the same.

    Args:
        configs: The runs.
        study: The study's folder.
        leases: This process's.
        facts: Tells what would make a run now.
        stale: What to do about runs that something else has made.
        say: Told in a sentence of each run that is damaged; it is put aside.

    Raises:
        StaleRunsError: if there are stale runs and `stale` is "refuse".
    """
    done = [config for config in configs if is_done(run_folder(study, config))]
    whole = [config for config in done if _is_whole(run_folder(study, config), config.key, leases, say)]
    changed = {config: _changes(run_folder(study, config), facts(config)) for config in whole if stale != "keep"}
    others = [config for config, what in changed.items() if what]
    if others and stale == "refuse":
        reasons = dict.fromkeys(what for config in others for what in changed[config])
        raise StaleRunsError(
            f"{len(others)} of the {len(whole)} finished runs in {study} were made with something else than what is "
            f"here now ({'; '.join(reasons)}). Say --stale remake to make them anew, or --stale keep to mix them with "
            "what is made now, and the report will say so; or choose another folder with --to."
        )
    for config in others:
        if leases.take(config.key):
            (run_folder(study, config) / "done.json").unlink(missing_ok=True)  # the rest goes when it is begun
            leases.give(config.key)
    return set(whole) - set(others)


def made_by(folder: Path) -> Any:
    """The fingerprint of the run in a folder, or None."""
    return json.loads((folder / "environment.json").read_bytes()).get("fingerprint")


def _changes(folder: Path, facts: dict[str, Any]) -> list[str]:
    return differences(made_by(folder), facts["fingerprint"])


def _is_whole(folder: Path, key: str, leases: RunLocks, say: Callable[[str], None]) -> bool:
    """Whether a run that is done is what was written; if not, it is put aside."""
    try:
        verify(folder)
    except DamagedError as error:
        if leases.take(key):  # or else another process is putting it aside, or making it again
            aside = folder.with_name(f"{folder.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            folder.replace(aside)
            leases.give(key)
            say(f"{error} It is kept as {aside.name}, and made again.")
        return False
    return True
