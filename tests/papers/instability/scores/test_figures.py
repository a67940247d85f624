"""Figures and claims of the scores: read from a study's table whose runs are drawn, so that what they show is known."""

import sys
from pathlib import Path

import pytest
from corpora import BEGIN, BREAK, config, write_half

from clinometer.papers.instability.scores import figure_lead, figure_trade_off, goals, held_out, tuning
from clinometer.papers.instability.scores.candidates import CANDIDATES
from clinometer.papers.instability.scores.tuned import Tuned
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import decide

NAMES = ("loss and update norm, pooled", "gradient norm")
FEW = [each for each in CANDIDATES if each.name in NAMES]
SICK = [config(number, "flipped_labels", 120 + number) for number in range(3)]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("corpus")
    write_half(study, 0, "learning_rate")
    write_half(study, 100, "flipped_labels")
    return study


@pytest.fixture
def frozen(study: Path, monkeypatch: pytest.MonkeyPatch) -> Tuned:
    """Thresholds from the tuning half, in the place of those that are shipped."""
    runs = tuning.tuning_runs(study, FEW)
    found = tuning.tune(runs, tuning.lines(runs, FEW))
    for module in (figure_lead, figure_trade_off, goals, held_out):
        monkeypatch.setattr(sys.modules[module.__name__], "tuned", lambda: found)
    return found


def table(study: Path) -> RunTable:
    healthy = [config(number, "none", 100 + number) for number in range(9)]
    tuned_on = [config(number, "learning_rate", 20 + number) for number in range(3)]
    return RunTable.read(study, [*healthy, *SICK, *tuned_on])


def test_leads_are_shown_by_cause_for_held_out_runs_alone(study: Path, frozen: Tuned) -> None:
    """All series rise from one step on and break at another: leads lie between 0 and their distance."""
    drawn = figure_lead.draw(table(study), {})
    assert [panel.title for panel in drawn.panels] == list(dict.fromkeys((frozen.default, "gradient norm")))
    [line] = drawn.panels[0].estimates
    assert line.name == "flipped labels"
    assert 20 <= line.low <= line.value <= line.high <= BREAK - BEGIN
    assert (line.verdict, line.bounds[0]) == ("holds", 20)
    assert line.text.endswith("3 of 3 in time")


def test_each_point_is_an_alert_at_thresholds_of_one_rate(study: Path, frozen: Tuned) -> None:
    """Points come in the order of their rates; at one in 10,000 the default announces all, as its scores say.

    More allowed alarms need not announce more: an episode that began too early swallows what follows.
    """
    [panel] = figure_trade_off.draw(table(study), {}).panels
    assert {each.label for each in panel.series} == {frozen.default, "gradient norm"}
    default = next(each for each in panel.series if each.label == frozen.default)
    assert default.y is not None
    assert default.y[sorted(frozen.rates).index(1.0)] == 1.0
    assert default.x[0] <= default.x[-1]


def test_goals_are_decided_by_held_out_runs(study: Path, frozen: Tuned) -> None:
    """Three breaks of three are announced here, which an interval over three runs cannot tell from 90%."""
    announced, false, guilty = (decide(claim, table(study), {}) for claim in goals.CLAIMS)
    assert (announced.parts[0].effect.value, announced.verdict) == (100.0, "undecided")
    assert announced.note == f"3 breaks and {9 * 150 + 3 * BEGIN:,} healthy steps."
    assert false.parts[0].bounds[1] == 1.0
    assert guilty.parts[0].effect.value == 100.0


def test_without_a_held_out_run_nothing_is_decided(study: Path, frozen: Tuned) -> None:
    """As after the tuning half alone was made."""
    alone = RunTable.read(study, [config(number, "none", number) for number in range(9)])
    finding = decide(goals.CLAIMS[0], alone, {})
    assert (finding.verdict, finding.note) == ("undecided", "no run of the held-out half is finished")
