"""The folder of a study: made for one study at one scale, with what was asked for."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.results.path_kind import holds_records
from clinometer.studies.plan import Plan
from clinometer.training.config import RunConfig, key_of
from clinometer.training.study_file import NAME, read_study, write_study


def open_study_folder(folder: Path, planned: Plan, request: Mapping[str, Any]) -> None:
    """Make `folder` this study's and note what was asked for; ValueError if it holds anything else, left as it is."""
    if (folder / NAME).is_file():
        check_study_folder(folder, planned)
    elif folder.exists() and not _may_become_study(folder):
        raise ValueError(f"{folder} is there already and is no clinometer study. Choose a new folder with --to.")
    if planned.study.declared is not None:
        request = {**request, "declared": planned.study.declared}
    folder.mkdir(parents=True, exist_ok=True)
    seeds = {"first_seed": planned.first_seed, "claim_seeds": dict(planned.claim_seeds)}
    write_study(folder, {**request, **seeds, **_identity(planned)})


def check_study_folder(folder: Path, planned: Plan) -> None:
    """ValueError unless a folder holds this study at this scale."""
    held, ours = read_study(folder), _identity(planned)
    if isinstance(held.get("bases"), dict):
        held["bases"] = {name: _with_new_fields(base, name, folder) for name, base in held["bases"].items()}
    if {name: held.get(name) for name in ours} != ours:
        raise ValueError(
            f"{folder} holds another study ({held.get('study')} at scale {held.get('scale')}, or one with other "
            f"settings); expected {planned.study.name} at scale {planned.scale}. Choose another folder with --to."
        )


def _with_new_fields(base: dict[str, Any], name: str, folder: Path) -> dict[str, Any]:
    """What runs of an older version share, with the fields that configs got since, where the runs stay the same."""
    now: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(RunConfig("any:model"))))
    where = f"{folder / NAME}, base {name!r}"
    if unknown := sorted(base.keys() - now.keys()):
        raise ValueError(
            f"{where} has the field {unknown[0]!r}, which this version does not know: a newer clinometer made the "
            "study. Read it with that version."
        )
    for field in sorted(now.keys() - base.keys()):
        if key_of({**base, field: now[field]}) != key_of(base):  # the runs' folders are named by these keys
            raise ValueError(
                f"{where} has no field {field!r}, which decides what its runs are. Make the study again in a new "
                "folder, or read it with the version that made it."
            )
    return {**now, **base}


def _identity(planned: Plan) -> dict[str, Any]:
    """What must be the same of two plans that share a folder."""
    same: dict[str, Any] = {"study": planned.study.name, "scale": planned.scale}
    if planned.study.declared is not None:  # its factors may grow: the runs are told apart by their configs
        return same
    bases = {name: json.loads(json.dumps(dataclasses.asdict(base))) for name, base in planned.bases.items()}
    return {**same, "bases": bases}


def _may_become_study(folder: Path) -> bool:
    """Whether it is empty, or a study's whose study.json was damaged and taken away."""
    return folder.is_dir() and (not any(folder.iterdir()) or holds_records(folder))
