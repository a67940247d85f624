"""Tuning and scoring of a corpus whose signal is known: found where it is, by the tuning half alone."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from corpora import BEGIN, BREAK, STEPS, write_half

from clinometer.papers.instability.scores import scoring, tuned, tuning
from clinometer.papers.instability.scores.candidates import CANDIDATES, Candidate
from clinometer.papers.instability.scores.goals import ANNOUNCED, FALSE, judge
from clinometer.papers.instability.scores.outcome import Outcome
from clinometer.papers.instability.scores.score import Call, Score, Watched, score
from clinometer.papers.instability.scores.table import markdown
from clinometer.papers.instability.scores.tune import choose
from clinometer.papers.instability.scores.tuned import Tuned
from clinometer.results.finished_run import read_config
from clinometer.results.statistics import Interval
from clinometer.store import DamagedError

POOLED = "loss and update norm, pooled"
NAMES = (POOLED, "gradient norm", "attention logits")
FEW = [each for each in CANDIDATES if each.name in NAMES]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both halves of a corpus; the held-out one has another cause."""
    study = tmp_path_factory.mktemp("corpus")
    write_half(study, 0, "learning_rate")
    write_half(study, 100, "flipped_labels")
    return study


def test_tuning_reads_no_run_that_is_held_out(study: Path, tmp_path: Path) -> None:
    """The rows of every held-out run are destroyed here: tuning does not notice, and scoring does."""
    poisoned = Path(shutil.copytree(study, tmp_path / "poisoned"))
    for folder in (poisoned / "runs").iterdir():
        if read_config(folder)["seed"] >= 100:
            (folder / "rows.sqlite").write_bytes(b"nobody may read this before the thresholds are frozen")
    runs = tuning.tuning_runs(poisoned, FEW)
    assert len(runs) == 12
    assert {run.outcome.half for run in runs} == {"tuning"}
    with pytest.raises(DamagedError):
        scoring.held_out_runs(poisoned, FEW)


def test_an_alert_that_sees_the_signal_announces_and_one_without_it_does_not(study: Path) -> None:
    """The series rise from a known step on; attention logits are in no run, so that this alert must stay silent."""
    runs = tuning.tuning_runs(study, FEW)
    found = {each.name: line.score for each, line in tuning.lines(runs, FEW).items()}
    pooled, silent = found[POOLED], found["attention logits"]
    assert (pooled.announced.value, pooled.guilty.value) == (1.0, 1.0)
    assert 20 <= pooled.leads[1] <= BREAK - BEGIN
    assert pooled.false_alarms.n == 9 * STEPS + 3 * BEGIN
    assert (silent.announced.value, silent.false_alarms.value) == (0.0, 0.0)


def test_what_was_frozen_is_read_as_it_was_written(study: Path) -> None:
    """Thresholds of a lower rate are higher: an alert must not speak more often because fewer alarms were asked for."""
    runs = tuning.tuning_runs(study, FEW)
    frozen = tuning.tune(runs, tuning.lines(runs, FEW))
    assert Tuned.from_json(frozen.as_json()) == frozen
    assert (frozen.runs, [each.name for each in frozen.candidates]) == (12, [each.name for each in FEW])
    for name in (POOLED, "gradient norm"):
        falling = [frozen.thresholds[name][rate][0] for rate in frozen.rates]
        assert falling == sorted(falling)


def test_scores_are_written_once_with_what_made_them(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number comes with its run: versions, command and the digest of what was frozen stand beside the table."""
    runs = tuning.tuning_runs(study, FEW)
    frozen = tuning.tune(runs, tuning.lines(runs, FEW))
    monkeypatch.setattr(scoring, "tuned", lambda: frozen)
    scoring.main([str(study), str(tmp_path / "kept")])
    kept = json.loads((tmp_path / "kept" / "scores.json").read_text())
    assert {line["part"] for line in kept["lines"]} >= {"all held out", "causes that no rule was tuned on"}
    first = kept["lines"][0]
    assert (first["alert"], first["is_default"]) == (frozen.default, True)
    assert first["score"]["announced"]["n"] == 3
    page = (tmp_path / "kept" / "scores.md").read_text()
    assert kept["frozen"][:12] in page
    assert f"**{frozen.default}** (default)" in page


def made(announced: float, alarms: float, guilty: float = 0.5) -> Score:
    return Score(
        Interval(announced, announced, announced, 20),
        Interval(announced, announced, announced, 20),
        (0.0, 0.0, 0.0),
        Interval(alarms, alarms / 2, alarms * 2, 20_000),
        Interval(guilty, guilty, guilty, 10),
        harmless=0,
        untouched=0,
    )


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ({POOLED: made(0.8, 1), "gradient norm": made(0.6, 1)}, POOLED),
        ({POOLED: made(0.8, 3), "gradient norm": made(0.6, 1)}, "gradient norm"),
        ({POOLED: made(0.6, 1), "gradient norm": made(0.8, 1)}, "gradient norm"),
        (
            {POOLED: made(0.75, 1, 0.9), "gradient norm": made(0.8, 1)},
            POOLED,
        ),
        ({"attention logits": made(0.9, 1), "gradient norm": made(0.2, 1)}, "gradient norm"),
    ],
)
def test_the_default_is_chosen_by_the_rule_that_was_written(scores: dict[str, Score], chosen: str) -> None:
    """Cases by hand: most breaks; too many false alarms; a plain norm that wins; a tie by the block; one that costs."""
    assert choose({each: scores[each.name] for each in CANDIDATES if each.name in scores}).name == chosen


def test_there_is_no_default_where_every_alert_cries_wolf() -> None:
    """Better no default than one whose stated rate is known to be false."""
    with pytest.raises(ValueError, match="no default to choose"):
        choose({each: made(0.9, 9) for each in FEW})


def sick(lead: int, number: int) -> Watched:
    outcome = Outcome(str(number), "mlp", f"cause {number}", "held-out causes", 300, 100, None, 200)
    return Watched(outcome, (Call(200 - lead),))


@pytest.mark.parametrize(("early", "verdict"), [(60, "holds"), (52, "undecided"), (20, "fails")])
def test_goals_are_decided_by_the_whole_interval(early: int, verdict: str) -> None:
    """Exact binomial limits of 60 trials by scipy: 60 lie above 94%, 52 reach over 90%, 20 stay below 47%.

    The p-value is that of scipy's two-sided binomial limits at the level where they touch the bound.
    """
    from scipy import stats

    runs = [sick(50 if number < early else 5, number) for number in range(60)]
    finding = judge(ANNOUNCED, runs)
    assert finding.verdict == verdict
    tail = stats.binom.sf(early - 1, 60, 0.9) if early > 54 else stats.binom.cdf(early, 60, 0.9)
    assert finding.parts[0].p == pytest.approx(min(1.0, 2 * tail), abs=1e-6)
    assert judge(FALSE, runs).parts[0].interval.value == 0


def test_the_table_says_what_it_cannot_count() -> None:
    """Without a break there is no share, and a dash is not a 0."""
    healthy = Watched(Outcome("a", "mlp", "none", "held-out seeds", 300, 300), ())
    assert np.isnan(score([healthy]).announced.value)
    line = tuning.Line("all held out", "an alert", "ours", is_default=False, score=score([healthy]))
    assert "| an alert | – | – | – | 0.00 [0.00, 122.96] | – |" in markdown([line])


def test_what_is_kept_is_what_was_tuned() -> None:
    """The file that is shipped has thresholds for every candidate of the code, or scores would be of other alerts."""
    assert [each.name for each in tuned.tuned().candidates] == [each.name for each in CANDIDATES]
    assert tuned.tuned().default in {each.name for each in CANDIDATES}
    assert all(isinstance(each, Candidate) and dataclasses.is_dataclass(each) for each in CANDIDATES)
