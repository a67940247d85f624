"""The folder of a study: made for one study at one scale, with what was asked for."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinometer.runner.records import holds_records
from clinometer.studies.plan import Plan
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
    if {name: held.get(name) for name in ours} != ours:
        raise ValueError(
            f"{folder} holds another study ({held.get('study')} at scale {held.get('scale')}, or one with other "
            f"settings); expected {planned.study.name} at scale {planned.scale}. Choose another folder with --to."
        )


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
