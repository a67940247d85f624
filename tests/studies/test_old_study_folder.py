"""Folders of studies that an older or a newer version made."""

from pathlib import Path
from typing import Any

import pytest
from stored import STUDY

from clinometer.studies.plan import plan
from clinometer.studies.study_folder import check_study_folder, open_study_folder
from clinometer.training.study_file import read_study, write_study


def test_a_field_that_is_new_or_unknown_is_named_or_changes_nothing(tmp_path: Path) -> None:
    """By rewriting study.json: without `intervals` runs keep keys; without `steps`, or with a newer field, not."""
    planned = plan(STUDY, "smoke", ["figure_01"])
    open_study_folder(tmp_path, planned, {})
    whole = read_study(tmp_path)

    def change(*gone: str, **more: Any) -> None:
        bases = whole["bases"].items()
        kept = {name: {field: base[field] for field in base if field not in gone} | more for name, base in bases}
        write_study(tmp_path, {**whole, "bases": kept})

    change("intervals", "scheduler")
    check_study_folder(tmp_path, planned)
    change("steps")
    with pytest.raises(ValueError, match=r"study.json, base '\w+' has no field 'steps'.*Make the study again"):
        check_study_folder(tmp_path, planned)
    change(momentum_of_tomorrow=1)
    with pytest.raises(ValueError, match=r"study.json.*'momentum_of_tomorrow'.*a newer clinometer"):
        check_study_folder(tmp_path, planned)
