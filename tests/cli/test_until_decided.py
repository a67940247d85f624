"""Looks, one after the other, at a toy study whose runs are chosen: what each claim needs is known by hand."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from stored import keep

from clinometer.cli.seed_options import Bound, SeedOptions
from clinometer.cli.until_decided import UntilDecided
from clinometer.pages.verdicts import Verdicts
from clinometer.runner.scheduler import Failure
from clinometer.runner.time_budget import RunSeconds, TimeBudget
from clinometer.studies.declared.spec import OwnStudy
from clinometer.studies.plan import Plan, plan
from clinometer.studies.study_folder import open_study_folder
from clinometer.studies.until_decided import LOOKS, next_look
from clinometer.training.config import RunConfig
from clinometer.training.run import Group
from clinometer.training.run_folder import finish, is_done, run_folder
from clinometer.training.study_file import read_study


def claim(name: str, kind: str, to: str = "low") -> dict[str, Any]:
    return {
        "id": name,
        "quantity": "train.loss",
        "rule": "difference above 0",
        "compare": {"kind": kind},
        "to": {"kind": to},
    }


OWN = OwnStudy(
    name="toy",
    model="nets:toy",
    factors={"kind": ["low", "high", "near"]},
    steps=1,
    claims=[claim("clear", "high"), claim("close", "near")],
)
START = plan(OWN.study(), "own")
NEAR = (0.9, -0.3, 0.6, 0.5, 0.4)  # of the first seeds; the mean of three does not leave 0 behind
SECONDS = 10.0  # of each run, as its folder says


def loss(run: RunConfig) -> float:
    """What a run ends with: by far more for `high` than for `low`, and a little more for `near`."""
    own = NEAR[run.seed] if run.seed < len(NEAR) else 0.5 + 0.01 * (run.seed % 3)
    return {"low": 1.0, "high": 9.0 + 0.1 * (run.seed % 3), "near": 1.0 + own}[run["kind"]]


class Runs:
    """Makes runs at once, noting which and in how many looks."""

    def __init__(self, folder: Path, until: Callable[[RunConfig], None] = lambda _run: None) -> None:
        self.folder, self.until = folder, until
        self.made: list[RunConfig] = []
        self.failing: set[RunConfig] = set()

    def make(
        self, _plan: Plan, runs: Sequence[RunConfig], verdicts: Verdicts, admit: Callable[[Group], bool]
    ) -> list[Failure]:
        failures: list[Failure] = []
        for run in runs:
            if is_done(run_folder(self.folder, run)) or not admit((run,)):
                continue
            if run in self.failing:
                failures.append(Failure(run, "ValueError", self.folder))
                continue
            self.until(run)
            finish(keep(self.folder, dataclasses.asdict(run), {0: {"train": {"loss": loss(run)}}}), SECONDS)
            self.made.append(run)
            verdicts.new_rows()
        return failures

    def looks(self, most: int, seconds: float = 1e9, start: Plan = START) -> tuple[Plan, Verdicts]:
        """What the command does after its checks."""
        request = {"command": "clinometer run study.yaml", "seeds": None}
        options = SeedOptions(until_decided=True, max_seeds=most)
        planned = options.continued(start, self.folder)
        open_study_folder(self.folder, planned, request)
        self.until_decided = UntilDecided(
            self.folder,
            Bound(most, seconds, "2h"),
            2,
            self.make,
            keep=lambda plan: open_study_folder(self.folder, plan, request),
        )
        return self.until_decided.run(planned)

    def seeds(self) -> dict[str, int]:
        """How many runs each arm has."""
        return dict(Counter(run["kind"] for run in self.made))


def verdicts_of(verdicts: Verdicts) -> dict[str, str]:
    return {row["id"]: row["verdict"] for row in verdicts.all_rows()}


def test_seeds_are_added_to_the_arms_of_open_claims_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By hand: three seeds decide `clear`; `close` needs more, so that `high`, which it does not compare, stays."""
    runs = Runs(tmp_path)
    planned, verdicts = runs.looks(most=50)
    assert verdicts_of(verdicts) == {"clear": "holds", "close": "holds"}
    last = planned.claim_seeds["close"]
    assert runs.seeds() == {"low": last, "high": 3, "near": last}
    assert last in LOOKS[2:4]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Decided: clear. Open: close. The next look, at 5 seeds, takes 4 runs and about 20 s."
    assert lines[-1] == "Decided: clear, close."
    looks = {row["id"]: row["parts"][0]["looks"] for row in verdicts.all_rows()}
    assert looks == {"clear": [3], "close": [look for look in LOOKS if look <= last]}
    assert read_study(tmp_path)["claim_seeds"] == {"close": last}


def test_the_last_look_is_at_the_most_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`close` is open at 4 seeds, and no fifth is made; the looks that are planned end there."""
    runs = Runs(tmp_path)
    _, verdicts = runs.looks(most=4)
    assert verdicts_of(verdicts)["close"] == "undecided"
    assert runs.seeds() == {"low": 4, "high": 3, "near": 4}
    assert capsys.readouterr().out.splitlines()[-1] == "Decided: clear. Open at the last look: close."
    assert [next_look(each, 25) for each in (3, 12, 20, 25, 30)] == [5, 20, 25, 25, 30]


def test_an_interrupted_study_goes_on_to_the_same_claims(tmp_path: Path) -> None:
    """Stopped at every single run, and gone on with: the claims equal those of a study that nothing stopped."""
    whole = Runs(tmp_path / "whole")
    _, expected = whole.looks(most=50)
    stopped = 0

    def stop_once(run: RunConfig) -> None:
        nonlocal stopped
        if run not in seen:
            seen.add(run)
            stopped += 1
            raise KeyboardInterrupt

    seen: set[RunConfig] = set()
    again = Runs(tmp_path / "again", until=stop_once)
    for _ in range(100):
        try:
            _, found = again.looks(most=50)
            break
        except KeyboardInterrupt:
            continue
    assert stopped == len(whole.made)
    assert again.seeds() == whole.seeds()
    assert json.dumps(found.all_rows()) == json.dumps(expected.all_rows())
    again.looks(most=50)
    assert again.seeds() == whole.seeds(), "once all is decided there is nothing to do"


def test_a_budget_starts_no_run_that_would_not_end_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that stands at each run's own seconds: with 10 seconds a run, 115 seconds have room for eleven.

    The look that is not complete is not taken: what is reported is the one before it, and the next command goes on.
    """
    runs = Runs(tmp_path)
    monkeypatch.setattr(TimeBudget, "left", property(lambda budget: budget.seconds - SECONDS * len(runs.made)))
    planned, verdicts = runs.looks(most=50, seconds=115)
    assert len(runs.made) == 11
    assert planned.claim_seeds == {}
    assert {row["id"]: row["n"] for row in verdicts.all_rows()} == {"clear": 3, "close": 3}
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "Decided: clear. Open, as the next look does not fit into the budget: close."
    assert not runs.until_decided.nothing_fitted
    assert verdicts_of(runs.looks(most=50)[1]) == {"clear": "holds", "close": "holds"}


def test_an_incomplete_first_look_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six of nine runs give `clear` two seeds, of three: no number is shown and no look is noted, so none is paid."""
    runs = Runs(tmp_path)
    monkeypatch.setattr(TimeBudget, "left", property(lambda budget: budget.seconds - SECONDS * len(runs.made)))
    _, verdicts = runs.looks(most=50, seconds=55)
    assert runs.seeds() == {"low": 3, "high": 2, "near": 1}
    rows = verdicts.all_rows()
    assert [(row["verdict"], row["n"], row["note"][:14]) for row in rows] == [("undecided", 0, "Not looked at:")] * 2
    assert not (tmp_path / "looks.json").exists()
    looks = {row["id"]: row["parts"][0]["looks"] for row in runs.looks(most=50)[1].all_rows()}
    assert looks["clear"] == [3]


def test_a_budget_into_which_no_run_fits_says_what_it_would_take(tmp_path: Path) -> None:
    """After three seeds a run is known to take 10 seconds: 9 have room for none, and everything stays as it was."""
    runs = Runs(tmp_path)
    _, before = runs.looks(most=3)
    planned, verdicts = runs.looks(most=50, seconds=9)
    assert len(runs.made) == 9
    assert planned.claim_seeds == {"clear": 3, "close": 3}
    assert verdicts.all_rows() == before.all_rows()
    assert "the shortest takes about 10 s" in runs.until_decided.nothing_fitted


def test_a_claim_whose_runs_fail_is_left_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of `high` fails for good: `clear` gets no more seeds, and `close` all that it needs."""
    runs = Runs(tmp_path)
    runs.failing = {run for run in START.configs if (run["kind"], run.seed) == ("high", 1)}
    _, verdicts = runs.looks(most=50)
    assert len(runs.until_decided.failures) == 1
    assert runs.seeds()["high"] == 2
    assert verdicts_of(verdicts)["close"] == "holds"
    assert capsys.readouterr().out.splitlines()[-1] == "Open, as runs failed: clear. Decided: close."


def test_no_seeds_are_made_for_a_claim_that_has_no_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A field that no run records: three seeds show it as well as three hundred."""
    nothing = {**claim("none", "high"), "quantity": "train.nothing"}
    runs = Runs(tmp_path)
    runs.looks(most=300, start=plan(dataclasses.replace(OWN, claims=[nothing]).study(), "own"))
    assert runs.seeds() == {"low": 3, "high": 3, "near": 3}
    assert "Without numbers, which more seeds would not change: none." in capsys.readouterr().out


def test_a_plain_study_is_gone_on_with_from_its_looks(tmp_path: Path) -> None:
    """After `--seeds 5` the claims were looked at with five: fewer would be a decreasing look."""
    runs = Runs(tmp_path)
    runs.looks(most=5, start=plan(OWN.study(), "own", seeds=5))
    planned = SeedOptions(until_decided=True, max_seeds=50).continued(START, tmp_path)
    assert planned.claim_seeds == {"clear": 5, "close": 5}
    with pytest.raises(ValueError, match="--max-seeds 4 is less than the 5 seeds that claim clear begins with"):
        SeedOptions(until_decided=True, max_seeds=4).continued(START, tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"until_decided": True}, "--until-decided needs a bound: say --max-seeds 50, --budget 2h, or both"),
        ({"budget": "2h"}, "--budget is a bound of --until-decided"),
        ({"max_seeds": 9}, "--max-seeds is a bound of --until-decided"),
        ({"until_decided": True, "max_seeds": 0}, "--max-seeds must lie in 1 to 10000; found 0"),
        *(
            ({"until_decided": True, "budget": text}, "--budget: expected a time such as 90s, 30m or 2h; found")
            for text in ("2", "0h", "-1h", "2 days", "1e3s", "", "nan", "٣h")
        ),
    ],
)
def test_bounds_that_make_no_sense_are_refused(given: dict[str, Any], message: str) -> None:
    """Before any work is spent."""
    with pytest.raises(ValueError, match=message):
        SeedOptions(**given).check()


def test_what_runs_take_is_read_arm_by_arm(tmp_path: Path) -> None:
    """By hand: the mean and the longest of two runs; an arm without a finished run counts as nothing."""
    low = next(run for run in START.configs if run["kind"] == "low")
    for seed, seconds in ((0, 4.0), (1, 8.0)):
        run = low.vary(seed=seed)
        finish(keep(tmp_path, dataclasses.asdict(run), {0: {"train": {"loss": 1.0}}}), seconds)
    known = RunSeconds(tmp_path)
    known.note(START.configs)
    assert known.of([low, low.vary(seed=7)]) == 12.0
    assert known.of([low], longest=True) == 8.0
    assert known.of([low.vary(kind="high")]) == 0.0
