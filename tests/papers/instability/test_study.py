"""The corpus as a study: which runs it has, how they are divided, and that a part of it breaks where it should."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from reproducing import reproduce

from clinometer.papers import load_study
from clinometer.papers.instability.causes import CAUSES, NONE
from clinometer.results.finished_run import find_runs
from clinometer.results.run_table import RunTable
from clinometer.studies.plan import plan
from clinometer.training.config import RunConfig

STUDY = load_study("instability")


def runs(half: str, scale: str = "laptop") -> list[RunConfig]:
    return plan(STUDY, scale, [half]).configs


def test_the_corpus_has_what_the_benchmark_asks_for() -> None:
    """Counted: 200 runs or more, healthy ones in the majority, in each half and of every network and optimizer."""
    whole = plan(STUDY, "laptop").configs
    assert len(whole) == len({run.key for run in whole}) >= 200
    for each in (whole, runs("tuning"), runs("held_out"), plan(STUDY, "smoke").configs):
        assert 2 * sum(run["cause"] == NONE for run in each) > len(each)
    kinds = Counter((run.model.rpartition(":")[2], run.optimizer.rpartition(":")[2]) for run in whole)
    assert len({network for network, _ in kinds}) == 5
    assert len({optimizer for _, optimizer in kinds}) == 3
    assert {run["cause"] for run in whole} == set(CAUSES)
    for scale in ("smoke", "laptop"):
        (measured,) = {run.measure_every for run in plan(STUDY, scale).configs}
        assert {base.measure_every for base in STUDY.scales[scale].bases.values()} == {measured}


def test_what_is_held_out_is_nowhere_in_the_tuning_half() -> None:
    """The promise on which every score rests: other seeds, and causes that no rule has seen."""
    tuned, held = runs("tuning"), runs("held_out")
    assert not {run.key for run in tuned} & {run.key for run in held}
    assert max(run.seed for run in tuned) < 100 <= min(run.seed for run in held)
    assert {CAUSES[run["cause"]].set for run in tuned} == {"", "A"}
    assert {CAUSES[run["cause"]].set for run in held} == {"", "A", "B"}


def test_each_mistake_can_befall_the_run_that_it_is_planned_for() -> None:
    """A mistake begins within the run and grows to its strength there; half precision may overflow before."""
    for scale in ("smoke", "laptop"):
        for run in plan(STUDY, scale).configs:
            assert 0 <= run["from_step"] <= run["from_step"] + run["over"] < run.steps


def test_the_figure_of_a_half_says_how_soon_its_runs_broke() -> None:
    """Two runs of one cause, made by hand: one breaks seven steps after its mistake began, and one does not."""
    breaks, stays = [run for run in runs("tuning") if run["cause"] == "learning_rate"][:2]
    falling = np.linspace(2.4, 0.4, breaks.steps)
    broken = falling.copy()
    broken[breaks["from_step"] + 7 :] = 9.0
    losses = {breaks: broken, stays: falling}
    table = RunTable.of_arrays({run: {"train": {"loss": of}} for run, of in losses.items()})
    (panel,) = STUDY.figures["tuning"].draw(table, STUDY.scales["laptop"].bases).panels
    (line,) = panel.series
    assert line.label == "learning_rate (2 runs)"
    assert line.y is not None
    assert (line.y[6], line.y[7], line.y[-1]) == (0.0, 0.5, 0.5)


@pytest.mark.long
def test_the_smoke_part_is_made_by_one_command(tmp_path: Path) -> None:
    """As CI runs it. The truth about each run is how it was made: healthy ones do not break, tampered ones do."""
    reproduce("instability", tmp_path / "corpus")
    found = find_runs(tmp_path / "corpus").intact()
    assert len(found) == len(plan(STUDY, "smoke").configs)
    for run in found:
        broke, cause = run.facts["broke_at"], run.facts["cause"]
        assert cause == run.config["settings"]["cause"]
        assert (broke is None) == (cause == NONE), (cause, run.config)
        assert broke is None or broke >= run.facts["from_step"]
