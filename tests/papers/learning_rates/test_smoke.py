"""The smallest part of the benchmark from its configs to its table, and again."""

from pathlib import Path

import numpy as np
import pytest

from clinometer.papers import load_study
from clinometer.papers.learning_rates.case import cases_in, prediction_of
from clinometer.papers.learning_rates.configurations import HELD_OUT, TUNING, configurations, networks
from clinometer.papers.learning_rates.scores import scores
from clinometer.papers.learning_rates.table import written
from clinometer.results.run_table import RunTable
from clinometer.studies.plan import plan
from clinometer.training.run import run
from clinometer.training.run_folder import run_folder

STUDY = load_study("learning_rates")
SMOKE = STUDY.scales["smoke"]
HELD = configurations(networks(HELD_OUT, SMOKE.bases), SMOKE.bases)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of one held-out network of the smoke scale with SGD and AdamW."""
    study = tmp_path_factory.mktemp("study")
    for sweep in (HELD[0], HELD[2]):
        for config in (sweep, prediction_of(sweep)):
            run(config, run_folder(study, config))
    return study


def test_the_smoke_scale_is_a_part_of_the_tuning_set() -> None:
    """Nothing of the held-out set is trained by a command that people run while they work on the predictors."""
    tuned = {network[:2] for network in TUNING}
    planned = plan(STUDY, "smoke").configs
    assert len(planned) == 16
    assert {(run.model.rpartition(":")[2], run["width"]) for run in planned} <= tuned


def test_cases_have_sweeps_and_predictions(folder: Path) -> None:
    """Each has at least its 7 rates with three seeds, and a prediction of each kind within the budget of passes."""
    for case in cases_in(folder, SMOKE, HELD_OUT):
        assert len(case.trials) >= 7
        assert all(len(trial.final) == 3 for trial in case.trials.values())
        assert case.passes <= 100
        assert case.predictions["constant"].answered
        assert case.predictions["suggest_lr"].answered or case.reason


def test_a_run_made_again_is_the_same(folder: Path, tmp_path: Path) -> None:
    """Every number of a sweep and of a prediction comes from the config's seed."""
    for config in (HELD[0], prediction_of(HELD[0])):
        run(config, run_folder(tmp_path, config))
        rows = [RunTable.read(study, [config]) for study in (folder, tmp_path)]
        for name in ("train", "sweep" if config == HELD[0] else "prediction"):
            first, again = (table.row(config, name) for table in rows)
            assert first.keys() == again.keys()
            for field, values in first.items():
                np.testing.assert_array_equal(values, again[field], err_msg=field)


def test_scores_are_written(folder: Path, tmp_path: Path) -> None:
    """The page names each predictor, the hardware and the command; claims and figures read the same runs."""
    written(folder, "smoke", tmp_path / "results")
    page = (tmp_path / "results" / "scores.md").read_text()
    assert "clinometer reproduce learning_rates --scale smoke" in page
    assert "range test" in page
    assert "torch" in page
    assert (tmp_path / "results" / "scores.json").is_file()
    runs = RunTable.read(folder, plan(STUDY, "smoke").configs)
    for figure in STUDY.figures.values():
        assert figure.draw(runs, SMOKE.bases).panels
    for claim in STUDY.claims:
        assert claim.compare(runs, SMOKE.bases).parts
    assert len(scores(cases_in(folder, SMOKE, HELD_OUT))) == 6
