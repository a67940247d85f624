"""Scores and claims on cases that were made up, so that every number can be had by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.analysis.stable_rate import Outcome, Trial, columns, outcome, rate
from clinometer.papers.learning_rates import claims, predict
from clinometer.papers.learning_rates.case import Case, log_error, prediction_of, read_cases
from clinometer.papers.learning_rates.configurations import TUNING, configuration
from clinometer.papers.learning_rates.constants import Calibration
from clinometer.papers.learning_rates.fit import calibrate
from clinometer.papers.learning_rates.grid import GRIDS
from clinometer.papers.learning_rates.prediction import PREDICTORS, SUGGESTED, Prediction, fitted
from clinometer.papers.learning_rates.predictions_figure import drawn
from clinometer.papers.learning_rates.scores import score, second_draw, seeds_apart
from clinometer.papers.learning_rates.table import as_json, by_optimizer, remarks, table
from clinometer.results.run_table import RunTable

SGD = GRIDS["sgd"]
INITIAL = (2.0,) * 3


def trial(loss: float, accuracy: float = 0.9) -> Trial:
    return Trial(INITIAL, (loss,) * 3, (accuracy,) * 3)


def case(
    largest: float, chosen_loss: float = 1.0, *, network: int = 0, low: float = 0.1, high: float = 10.0, edge: int = 0
) -> Case:
    """A sweep that is stable up to 2^(edge/2), whose best has a loss of 1, and one prediction by all predictors."""
    tried = sorted({*SGD.sweep, *range(edge - 1, edge + 3)})
    trials = {k: trial(1.0 + 0.01 * abs(k + 4)) if k <= edge else trial(math.inf, 0.0) for k in tried}
    trials[-4] = trial(1.0)
    stable = trial(chosen_loss) if math.isfinite(chosen_loss) else trial(math.inf, 0.0)
    found = Prediction(largest, low * largest, high * largest, largest / 2, stable)
    if math.isnan(largest):
        found = Prediction(largest, largest, largest, largest)
    return Case(
        configuration(TUNING[network], "sgd"),
        trials,
        dict.fromkeys(PREDICTORS, largest),
        {name: found if name == SUGGESTED else replace(found, trial=None) for name in PREDICTORS},
        (1.0, 1.1, 1.2),
        105.0,
        "" if largest > 0 else "no reason",
    )


KNOWN = Outcome(best=0.1, best_loss=0.5, largest=1.0, unstable=2**0.5, holes=0)


@given(st.floats(-8, 8))
def test_the_error_is_the_distance_to_the_interval(log: float) -> None:
    """The measured rate is known to lie in [1, √2]: the error is the distance to it in logs, with its sign."""
    inside = min(max(log, 0.0), math.log(2) / 2)
    assert log_error(math.exp(log), KNOWN) == pytest.approx(log - inside, abs=1e-9)


def test_a_censored_rate_proves_no_prediction_too_high() -> None:
    """Known is only that the rate is at least 1."""
    censored = replace(KNOWN, unstable=math.inf)
    assert log_error(1e6, censored) == 0
    assert log_error(0.5, censored) == pytest.approx(-math.log(2))


@pytest.mark.parametrize("predicted", [math.nan, 0.0])
def test_no_prediction_has_no_error(predicted: float) -> None:
    """NaN, and so it is right nowhere."""
    assert math.isnan(log_error(predicted, KNOWN))


def test_a_score_by_hand() -> None:
    """Four cases with the edge in [1, √2]: right, too low by 2, too high by 2, and no answer."""
    cases = [
        case(1.2, 0.9, network=0),
        case(0.5, 1.2, network=1),
        case(2 * 2**0.5, math.inf, network=2, low=0.9),
        case(math.nan, network=3),
    ]
    found = score(cases, SUGGESTED)
    assert (found.right.value, found.answered.value) == (0.25, 0.75)
    assert (found.error, found.bias) == pytest.approx((2.0, 1.0))
    assert found.covered.value == pytest.approx(2 / 3)
    assert found.failed.value == pytest.approx(1 / 3)
    assert (found.close.value, found.near.value) == (0.25, 0.25)
    assert found.excess == pytest.approx(1.2)
    assert found.width == pytest.approx(100.0)
    assert found.right.n == 4


@pytest.mark.parametrize(("predicted", "right"), [(2**0.5 * 1.5, 1.0), (2.13, 0.0), (1 / 1.5, 1.0), (0.66, 0.0)])
def test_right_is_a_factor_of_one_and_a_half(predicted: float, right: float) -> None:
    """At the bound, and just beyond it."""
    assert score([case(predicted)], SUGGESTED).right.value == right


def test_a_rate_that_was_not_trained_lies_between_two_that_were() -> None:
    """Losses of 1.03 at 2^-1/2 and 1.04 at 1 meet in their geometric mean; from the first unstable rate on it fails."""
    between = case(2 * 2**-0.25)
    assert between.excess("curvature") == pytest.approx((1.03 * 1.04) ** 0.5)
    assert not between.failed("curvature")
    assert case(2 * 2**0.5).failed("curvature")
    assert math.isinf(case(math.nan).excess("curvature"))
    assert not case(math.nan).failed("curvature")


def test_what_a_second_draw_of_the_best_comes_to() -> None:
    """Other seeds have 1.0, 1.1 and 1.2, a mean of 1.1 where the sweep had 1; its own seeds are alike."""
    cases = [case(1.0)]
    assert second_draw(cases, 1.05).value == 0
    assert second_draw(cases, 1.11).value == 1
    assert seeds_apart(cases).value == 0
    apart = replace(cases[0], trials={**cases[0].trials, -4: Trial(INITIAL, (0.9, 0.9, 1.0), (0.9,) * 3)})
    assert seeds_apart([apart]).value == 1


def test_constants_are_medians_of_the_tuning_set() -> None:
    """The predictor says a third of the middle of the edge's interval, give or take 2: the factor is 3, the ends 2."""
    middle = 2**0.25
    cases = [case(middle / 3 * each) for each in (0.5, 1.0, 2.0)]
    found = calibrate(cases, SUGGESTED)
    assert found is not None
    assert found.factor == pytest.approx(3.0, rel=1e-2)
    assert (found.low, found.high) == pytest.approx((2**-0.9, 2**0.9), rel=1e-2)
    assert rate(-5) < found.fraction * middle < rate(-3)  # the best rate is 2^-2
    assert calibrate([case(math.nan)], SUGGESTED) is None


def test_a_fitted_prediction_is_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand; and what is no rate gives no answer."""
    known = {"curvature": {"sgd": Calibration(2.0, 0.5, 3.0, 0.25)}}
    monkeypatch.setattr("clinometer.papers.learning_rates.constants.CALIBRATIONS", known)
    assert fitted("curvature", "sgd", 0.5) == Prediction(1.0, 0.5, 3.0, 0.25)
    for raw in (0.0, -1.0, math.nan, math.inf):
        assert not fitted("curvature", "sgd", raw).answered


def test_claims_are_decided_by_the_shares_interval() -> None:
    """40 of 40 hold 80% (0.8^40 is 1e-4); 20 of 40 fail it; 0 failures of 40 leave 5% open, of 80 not."""
    hits = [True] * 40
    assert claims.share_part("x", hits, range(40), 0.8).verdict == "holds"
    half = claims.share_part("x", [True, False] * 20, range(40), 0.8)
    assert (half.verdict, half.effect.value) == ("fails", 50.0)
    assert claims.share_part("x", [False] * 40, range(40), 0.0, 0.05).verdict == "undecided"
    none = claims.share_part("x", [False] * 80, range(80), 0.0, 0.05)
    assert none.verdict == "holds"
    assert none.p == pytest.approx(2 * 0.95**80)


def test_cases_are_read_as_runs_wrote_them() -> None:
    """A table of runs in memory: the sweep's row and the prediction's give the case back."""
    wanted = case(1.0)
    sweep, answer = wanted.config, wanted.predictions[SUGGESTED]
    assert answer.trial
    row = {
        **predict.columns(wanted.raw, wanted.predictions, answer.trial),
        "passes": np.array(wanted.passes),
        "reason": np.array(""),
    }
    swept = {**columns(wanted.trials), "again": np.array(wanted.again)}
    runs = RunTable.of_arrays(
        {
            sweep: {"sweep": {name: [values] for name, values in swept.items()}},
            prediction_of(sweep): {"prediction": {name: [values] for name, values in row.items()}},
        }
    )
    (found,) = read_cases(runs, [sweep])
    assert found == wanted
    assert outcome(found.trials) == wanted.outcome
    assert read_cases(RunTable({}), [sweep]) == []


def test_tables_and_figures_show_every_predictor() -> None:
    """A line each, also where there is no answer; what is not finite is null in JSON."""
    cases = [case(1.0), case(math.nan, network=1)]
    assert len(table(cases).splitlines()) == 2 + len(PREDICTORS)
    assert len(by_optimizer(cases).splitlines()) == 2 + len(GRIDS)
    assert any("no reason" in each for each in remarks(cases))
    assert as_json(cases)["configurations"][1]["predictions"][SUGGESTED]["largest"] is None
    figure = drawn("title", cases)
    for panel in figure.panels:
        assert len(panel.series) == len(PREDICTORS) + 1
    line = figure.panels[0].series[0]
    assert line.y is not None
    assert line.x.shape == line.y.shape
    assert line.y[-1] == 50
