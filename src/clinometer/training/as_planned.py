"""Whether this process makes a run of the code and the data that the study was planned with.

A study's fingerprints are taken when it begins. A worker takes its own, of what it has itself executed and loaded, when
its run begins, with each checkpoint, and at the end: code or data that were edited meanwhile end the run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.training.code_digest import digest_modules
from clinometer.training.config import RunConfig
from clinometer.training.executed_sources import executed_modules
from clinometer.training.files import read_json, write_json
from clinometer.training.fingerprint import differences, fingerprint
from clinometer.training.from_config import Data
from clinometer.training.run_folder import is_done, run_folders

IMPORTED = "imported"  # in a fingerprint: modules that a run imported by names that its code does not spell out


class NotAsPlannedError(RuntimeError):
    """A run would be, or was, made of other code or data than the study's other runs."""


def check_as_planned(planned: Mapping[str, Any], config: RunConfig, device: str, data: Data) -> None:
    """NotAsPlannedError, in words, if this process has executed or loaded something else than was planned.

    Args:
        planned: The fingerprint that was planned.
        config: The run's config.
        device: Where it trains.
        data: What this process has loaded to train on.
    """
    _refuse(differences(planned, fingerprint(config, device, data)))


def note_imported(folder: Path, planned: Mapping[str, Any]) -> None:
    """Add to a run's fingerprint what it imported by names that only running it tells.

    Raises:
        NotAsPlannedError: if a finished run beside it has imported other code under these names.
    """
    imported = digest_modules(set(executed_modules()) - planned["code"].keys())
    for other in run_folders(folder.parents[1]) if imported else ():
        if is_done(other):
            theirs = read_json(other / "environment.json")["fingerprint"].get(IMPORTED, {})
            shared = imported.keys() & theirs.keys()
            _refuse(differences(*({IMPORTED: {name: of[name] for name in shared}} for of in (theirs, imported))))
    if imported:
        facts = read_json(folder / "environment.json")
        write_json(folder / "environment.json", {**facts, "fingerprint": {**planned, IMPORTED: imported}})


def imported_now(fingerprint: Any) -> dict[str, Any]:
    """What stands for the modules that a finished run imported by such names, as they are now; empty if there are none.

    Args:
        fingerprint: The run's.
    """
    if not isinstance(fingerprint, dict) or not fingerprint.get(IMPORTED):
        return {}
    return {IMPORTED: digest_modules(fingerprint[IMPORTED])}


def _refuse(what: list[str]) -> None:
    if what:
        raise NotAsPlannedError(
            f"changed since the study was begun: {'; '.join(what)}. This run would not belong to the study's other "
            "runs, and is not made. Give the command again: it says which finished runs are then of other code or data."
        )
