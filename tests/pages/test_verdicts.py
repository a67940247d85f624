"""Claims that are decided while a study's runs are made."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
from stored import STUDY, study

from clinometer.pages.verdicts import Verdicts
from clinometer.results import run_table
from clinometer.results.finished_run import FoundRuns
from clinometer.studies.claims import Finding
from clinometer.studies.plan import plan
from clinometer.training.run_folder import run_folder


def test_a_claim_is_decided_once_all_its_runs_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are finished one by one: no verdict comes before its last run, none comes twice, and each run is read once.

    What is decided early equals what is decided at the end from the disk alone.
    """
    planned = plan(STUDY, "smoke", ["figure_01", "figure_02"], first_seed=0, claim_seeds={})
    made, folder = tmp_path / "made", tmp_path / "study"
    study(made, list(dict.fromkeys(dataclasses.replace(config, seed=0) for config in planned.configs)))
    (folder / "runs").mkdir(parents=True)
    read: list[str] = []
    find = run_table.find_runs

    def counted(study: Path, keys: Iterable[str], **settings: bool) -> FoundRuns:
        read.extend(keys)
        return find(study, keys, **settings)

    monkeypatch.setattr(run_table, "find_runs", counted)
    verdicts = Verdicts(planned, folder)
    assert verdicts.new_rows() == []
    found: dict[str, int] = {}
    for number, config in enumerate(planned.run_order):
        run_folder(made, config).rename(run_folder(folder, config))
        found |= {row["id"]: number for row in verdicts.new_rows()}
    needed = {claim.id: set(planned.runs_of(claim)) for claim in planned.claims}
    last = {name: max(planned.run_order.index(run) for run in runs) for name, runs in needed.items()}
    assert found == last
    assert min(last.values()) < len(planned.run_order) - 1, "or nothing would have been early"
    rows = verdicts.all_rows()
    assert sorted(read) == sorted(config.key for config in planned.configs)
    assert rows == Verdicts(planned, folder).all_rows()
    assert [row["id"] for row in rows] == [claim.id for claim in planned.claims]
    assert list(verdicts.table.configs) == planned.configs


def test_an_error_in_a_claim_does_not_end_the_making_of_runs(tmp_path: Path) -> None:
    """The error waits until the runs are made, and is raised then."""

    def broken(*_: object) -> Finding:
        raise KeyError("no such field")

    planned = plan(STUDY, "smoke", ["figure_01"], first_seed=0, claim_seeds={})
    claim = dataclasses.replace(planned.claims[0], compare=broken)
    planned = dataclasses.replace(planned, claims=(claim,))
    study(tmp_path, STUDY.figures["figure_01"].arms(planned.bases))
    verdicts = Verdicts(planned, tmp_path)
    assert verdicts.new_rows() == []
    with pytest.raises(KeyError, match="no such field"):
        verdicts.all_rows()
