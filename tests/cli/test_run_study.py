"""What is printed while a study's runs are made."""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from stored import STUDY, study

from clinometer.cli import run_study as module
from clinometer.cli.foreign_exits import CommandExit
from clinometer.cli.run_options import RunOptions
from clinometer.cli.seed_options import Bound
from clinometer.runner.scheduler import Failure, Progress
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.config import RunConfig
from clinometer.training.run import Group
from clinometer.training.run_folder import run_folder


def test_verdicts_are_printed_while_runs_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs that appear one by one, as if made: a claim's line comes after its last run, and once; the table closes."""
    planned = plan(STUDY, "smoke", ["figure_01", "theorem_4_1"], first_seed=0, claim_seeds={})
    planned = dataclasses.replace(planned, figures=("figure_01", "figure_02"))
    made, folder = tmp_path / "made", tmp_path / "study"
    study(made, list(dict.fromkeys(dataclasses.replace(config, seed=0) for config in planned.configs)))
    open_study_folder(folder, planned, {"command": "clinometer reproduce"})
    (folder / "runs").mkdir()
    printed: dict[str, int] = {}  # a line's first word to the number of runs that were done by then

    def run_all(
        configs: Sequence[RunConfig], study: Path, report: Callable[[Progress], None], **_: object
    ) -> list[Failure]:
        for done, config in enumerate(configs, 1):
            run_folder(made, config).rename(run_folder(study, config))
            report(Progress(len(configs), done, 0, 0, (), 1.0))
            printed.update({line.split()[0]: done for line in capsys.readouterr().out.splitlines() if line[0] == "C"})
        return []

    monkeypatch.setattr(module, "run_all", run_all)
    answer = module.run_study(planned, folder, RunOptions(verbose=True))
    assert answer.status == 0
    answer.show()
    closing = capsys.readouterr().out
    assert "3 of 3 claims are undecided: C1, C2, C3" in closing
    assert "theorem_4_1" in closing
    last = max(planned.run_order.index(run) for run in planned.runs_of(planned.claims[0])) + 1
    assert printed == {"C1": last, "C2": last, "C3": last}
    assert last < len(planned.configs)
    assert (folder / "theorems.json").is_file()


def test_a_budget_that_had_room_for_no_run_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status of bad input, after all that is there was reported; nothing was trained."""
    planned = plan(STUDY, "smoke", ["figure_01"], first_seed=0, claim_seeds={})
    open_study_folder(tmp_path / "study", planned, {"command": "clinometer reproduce"})

    def run_all(runs: Sequence[RunConfig], _study: Path, admit: Callable[[Group], bool], **_: object) -> list[Failure]:
        assert not any(admit((run,)) for run in runs)
        return []

    monkeypatch.setattr(module, "run_all", run_all)
    answer = module.run_study(planned, tmp_path / "study", RunOptions(), Bound(50, 0.0, "1s"))
    assert answer.status == 2
    assert "--budget 1s: no run that is missing fits into it" in answer.error
    assert (tmp_path / "study" / "report.html").is_file()


def test_a_folder_that_is_deleted_while_its_runs_are_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first file that the study then misses is only a consequence; of a file missing in a folder, that is said."""
    planned = plan(STUDY, "smoke", ["figure_01"], first_seed=0, claim_seeds={})
    folder = tmp_path / "study"
    open_study_folder(folder, planned, {"command": "clinometer reproduce"})

    def run_all(_configs: Sequence[RunConfig], study: Path, **_: object) -> list[Failure]:
        if study.name == "deleted":
            shutil.rmtree(study)
        (study / "records" / "x.lock").read_text()
        return []

    monkeypatch.setattr(module, "run_all", run_all)
    with pytest.raises(FileNotFoundError, match=r"x\.lock"):
        module.run_study(planned, folder, RunOptions())
    deleted = folder.rename(tmp_path / "deleted")
    with pytest.raises(CommandExit) as ended:
        module.run_study(planned, deleted, RunOptions())
    assert ended.value.status == 1
    assert f"the study's folder {deleted} was deleted, or moved" in ended.value.message
