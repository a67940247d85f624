"""Commands that read leave what they read as it is: no byte, no time and no file beside it, also of a run going on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stored import STUDY, study
from traces import copied, killed, seen, writing

from clinometer import Store
from clinometer.cli import main
from clinometer.runner.records import RunRecord, write_record
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.config import key_of
from clinometer.training.files import write_json

OF_RUNS = (
    "watch {run} --once",
    "report {run} --read-only",
    "export {run} --to out --format csv",
    "compare {run} other",
)
OF_STUDIES = (
    "status {study}",
    "export {study} --to out --format csv",
    "compare {study} again",
    "merge {study} again --to out",
    "plan santurkar2018 --pilot {study} --max-seeds 5",
)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return killed(tmp_path_factory.mktemp("killed"))


@pytest.fixture(params=["closed", "killed", "copied with its log", "being written"])
def folder(
    request: pytest.FixtureRequest, left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The current folder, with a recorder's folder `run` in one of the states, and a closed one."""
    monkeypatch.chdir(tmp_path)
    for name in ("run", "other"):
        store = Store(tmp_path / name / "rows.sqlite")
        for step in range(40):
            store.append(step, {"train": {"loss": float(step)}})
        store.close()
    if request.param == "closed":
        yield tmp_path
        return
    shutil.rmtree(tmp_path / "run")
    if request.param == "being written":
        with writing(tmp_path / "run" / "rows.sqlite") as process:
            yield tmp_path
            process.kill()
        return
    copied(left, tmp_path / "run", *(["-shm"] if request.param != "killed" else []))
    yield tmp_path


def test_a_run_is_left_as_it_was(folder: Path) -> None:
    """Everything in the folder but what a command was told to make."""
    for line in OF_RUNS:
        before = seen(folder / "run"), seen(folder / "other")
        with pytest.raises(SystemExit, match="0"):
            main(line.format(run="run").split())
        assert (seen(folder / "run"), seen(folder / "other")) == before, line
        shutil.rmtree(folder / "out", ignore_errors=True)


def test_a_study_is_left_as_it_was(left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With finished runs, one that was killed, and one whose process holds its store."""
    monkeypatch.chdir(tmp_path)
    planned = plan(STUDY, "smoke", ["figure_01"], seeds=3, first_seed=0)
    open_study_folder(tmp_path / "study", planned, {"only": "figure_01", "seeds": 3})
    study(tmp_path / "study", list(STUDY.figures["figure_01"].arms(planned.bases)))
    shutil.copytree(tmp_path / "study", tmp_path / "again")
    (tmp_path / "study" / "records").mkdir(exist_ok=True)
    unfinished = [{"lr": 0.1, "seed": seed, "steps": 90} for seed in (0, 1)]
    for config in unfinished:
        write_record(tmp_path / "study", RunRecord(key_of(config), config).started("here:1"))
    dead, alive = (tmp_path / "study" / "runs" / key_of(config) for config in unfinished)
    copied(left, dead)
    alive.mkdir()
    for run, config in zip((dead, alive), unfinished, strict=True):
        write_json(run / "config.json", config)
    with writing(alive / "rows.sqlite") as process:
        for line in OF_STUDIES:
            before = seen(tmp_path / "study"), seen(tmp_path / "again")
            with pytest.raises(SystemExit, match="0"):
                main(line.format(study="study").split())
            assert (seen(tmp_path / "study"), seen(tmp_path / "again")) == before, line
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
        process.kill()
