"""Pilots read from folders whose runs are chosen: which runs and seeds are found, and what a study's claims need."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from stored import STUDY, arrays, by_norm, study

from clinometer.results.run_table import ArrayRun, RunTable
from clinometer.studies.claim_needs import claim_needs, costs
from clinometer.studies.pilot import Pilot, read_pilot
from clinometer.studies.plan import plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.training.run_folder import finish, run_folder

PLAN = plan(STUDY, "smoke", ["figure_01"])
ARMS = list(STUDY.figures["figure_01"].arms(PLAN.bases))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of the arms of figure 1, each of which took 36 s."""
    folder = tmp_path_factory.mktemp("pilot") / "study"
    open_study_folder(folder, PLAN, {})
    for config in study(folder, ARMS, accuracy=by_norm(none=0.5, batch=0.9)).configs:
        finish(run_folder(folder, config), 36.0)
    return folder


def test_all_finished_runs_are_found_whatever_their_seeds(folder: Path, tmp_path: Path) -> None:
    """The folder has seeds 0 to 2; one run is taken away, one is damaged, one has seed 100: six less two plus one."""
    copy = shutil.copytree(folder, tmp_path / "study")
    (run_folder(copy, ARMS[0].vary(seed=0)) / "done.json").unlink()
    with (run_folder(copy, ARMS[1].vary(seed=1)) / "rows.sqlite").open("ab") as file:
        file.write(b"x")
    moved = run_folder(copy, ARMS[0].vary(seed=1))
    later = ARMS[0].vary(seed=100)
    target = shutil.copytree(moved, run_folder(copy, later))
    (target / "config.json").write_text(json.dumps(dataclasses.asdict(later)))
    finish(target, 40.0)
    found = read_pilot(copy, PLAN)
    assert len(found.table.configs) == 3 * len(ARMS) - 1
    assert later in found.table.configs
    assert len(found.table.damaged) == 1
    assert found.seeds_text == "pilot seeds 0 to 2, confirmatory seed 100"
    assert found.table.seconds(ARMS[0]) == pytest.approx((36 + 36 + 40) / 3)


def test_what_a_claim_costs_is_its_arms_seeds_and_seconds(folder: Path) -> None:
    """Each arm's runs take 36 s: so many seeds of so many arms by hand, and an arm of two claims is trained once."""
    pilot = read_pilot(folder, PLAN)
    needs = {need.claim.id: need for need in claim_needs(pilot, [], 0.8, 400)}
    for need in needs.values():
        if need.needed and need.needed.likely:
            likely, cautious = costs([need], pilot, 400)
            arms = len(PLAN.arms_of(need.claim))
            assert likely.seconds == pytest.approx(36.0 * arms * need.needed.likely)
            assert cautious.seconds == pytest.approx(36.0 * arms * (need.needed.cautious or 400))
            assert (likely.silent, likely.arms) == (0, arms)
    known = [need for need in needs.values() if need.needed and need.needed.likely]
    assert known
    counts: dict[Any, int] = {}
    for need in known:
        for arm in PLAN.arms_of(need.claim):
            counts[arm] = max(counts.get(arm, 0), need.needed.likely if need.needed and need.needed.likely else 0)
    assert costs(known, pilot, 400)[0].seconds == pytest.approx(36.0 * sum(counts.values()))


def test_runs_that_do_not_say_how_long_they_took_are_counted() -> None:
    """In memory, one arm says it and the others do not."""
    runs = {arm: ArrayRun(dict(arrays(arm)), seconds=5.0 if arm == ARMS[0] else None) for arm in ARMS}
    cost = Pilot(PLAN, RunTable(runs)).cost(dict.fromkeys(ARMS, 2))
    assert (cost.seconds, cost.silent, cost.arms) == (10.0, len(ARMS) - 1, len(ARMS))


def test_another_study_is_refused(folder: Path) -> None:
    """Its settings may be others, so its runs say nothing of this one; a folder without runs has none."""
    with pytest.raises(ValueError, match="holds another study"):
        read_pilot(folder, plan(STUDY, "laptop"))
    assert not read_pilot(folder / "nowhere", PLAN).table.configs
