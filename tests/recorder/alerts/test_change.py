"""The detector of a sustained change, against closed forms and against an implementation that is as plain as can be."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.quantity_alert import QuantityAlert
from clinometer.recorder.alerts.reading import Numbers


def series(seed: int, readings: int, columns: int = 1, correlation: float = 0.0) -> Numbers:
    """Stationary Gaussian AR(1) series of standard deviation 1, (readings, columns)."""
    rng = np.random.default_rng(seed)
    x = np.empty((readings, columns))
    x[0] = rng.normal(size=columns)
    for t in range(1, readings):
        x[t] = correlation * x[t - 1] + math.sqrt(1 - correlation**2) * rng.normal(size=columns)
    return x


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_false_alarms_are_those_of_gaussian_series(correlation: float) -> None:
    """Two readings in a row exceed one deviation with the probability of a bivariate normal's orthant, by scipy.

    The window of 1,500 readings (260 independent ones at a correlation of 0.7) tells location and scale to 8%, which
    changes that probability by up to a tenth; 4,000 series count it to within 5% (three deviations: 15%).
    """
    stats = pytest.importorskip("scipy.stats")
    past = series(0, 1502, 4000, correlation)
    found = (Change(sustained=2, window=1500, lag=2).scores(past).excess > 1).mean()
    covariance = [[1, correlation], [correlation, 1]]
    assert found == pytest.approx(stats.multivariate_normal([0, 0], covariance).cdf([-1, -1]), rel=0.25)


@pytest.mark.parametrize(("direction", "sign"), [("rises", 1), ("falls", -1)])
def test_a_step_change_is_said_after_so_many_readings(direction: str, sign: int) -> None:
    """By definition: all of the last four must exceed, so a change by 20 deviations is said at its fourth reading."""
    x = 0.1 * series(1, 90)[:, 0]
    x[60:] += sign * 2.0
    alert = QuantityAlert("p/x", Change(direction, sustained=4), 8.0)  # type: ignore[arg-type]
    said = [alarm for t, v in enumerate(np.exp(x)) if (alarm := alert.see(t, {"p": {"x": v}}))]
    assert [(alarm.step, alarm.since) for alarm in said] == [(63, 60)]
    assert said[0].usual == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(
    "values",
    [np.exp(0.3 * np.arange(120)), np.exp(-0.3 * np.arange(120)), 1.0 + np.arange(120), 1 / (1.0 + np.arange(120))],
    ids=["exponential", "decay", "warm-up", "hyperbola"],
)
@pytest.mark.parametrize("direction", ["rises", "falls"])
def test_a_steady_trend_scores_below_two(values: Numbers, direction: str) -> None:
    """Arithmetic: a straight line of slope b has quartiles 19.5 b apart, and the judged readings lie 26 b from its
    middle, so they are 1.8 deviations away, whatever b; a warm-up bends down from that in the logarithm."""
    alert = QuantityAlert("p/x", Change(direction), math.inf)  # type: ignore[arg-type]
    scores = [(alert.see(t, {"p": {"x": v}}), alert.score)[1] for t, v in enumerate(values)]
    assert max(score for score in scores if not math.isnan(score)) < 2


def plain(values: list[float], threshold: float, sustained: int, window: int, lag: int, floor: float) -> list[int]:
    """The steps of all alarms by the docstring's words, with Python's own statistics."""
    said: list[int] = []
    held = -math.inf
    logs = [math.log(v) for v in values]
    for t in range(window + lag - 1, len(values)):
        ordered = sorted(logs[t - window - lag + 1 : t - lag + 1])
        lower, median, upper = (ordered[round(share * (window - 1))] for share in (0.25, 0.5, 0.75))
        scale = max((upper - lower) / (2 * statistics.NormalDist().inv_cdf(0.75)), floor)
        if min((x - median) / scale for x in logs[t - sustained + 1 : t + 1]) > threshold:
            if t - held > 50:
                said.append(t)
            held = t
    return said


def test_it_does_what_its_words_say() -> None:
    """The truth is the formula written out with sorted lists, on series that exceed now and then."""
    for seed in range(3):
        values = np.exp(series(seed, 3000, correlation=0.8)[:, 0])
        alert = QuantityAlert("p/x", Change(sustained=3, window=24, lag=5), 2.0)
        said = [t for t, v in enumerate(values) if alert.see(t, {"p": {"x": v}})]
        assert len(said) > 5
        assert said == plain(values.tolist(), 2.0, 3, 24, 5, 0.1)


@given(st.integers(0, 10_000), st.floats(-200, 200), st.booleans())
def test_the_unit_of_the_quantity_does_not_matter(seed: int, exponent: float, relative: bool) -> None:
    """An invariant: multiplying by a constant moves the logarithm and leaves differences, up to their rounding."""
    values = np.exp(series(seed, 51, 3))
    rule = Change(sustained=1, relative=relative)

    def scored(values: Numbers) -> Numbers:
        return rule.scores(np.array([rule.prepared(row) for row in values])).excess

    np.testing.assert_allclose(scored(values * math.exp(exponent)), scored(values), rtol=1e-9, atol=1e-9)


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_what_moves_all_blocks_alike_is_no_relative_change(seed: int, factor: float) -> None:
    """An invariant: each block over the median of all stays as it was when the last readings of all are multiplied."""
    values = np.exp(series(seed, 51, 4))
    moved = values.copy()
    moved[45:] *= factor
    rule = Change(relative=True)
    first, second = (rule.scores(np.array([rule.prepared(row) for row in each])).excess for each in (values, moved))
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-9)


def test_a_quantity_of_zero_is_usual_or_infinitely_far() -> None:
    """A frozen block does not move: it is no change while it is frozen, and one when it is not, of any size."""
    alert = QuantityAlert("p/x", Change(sustained=2), 100.0)
    frozen = [alert.see(t, {"p": {"block": ["a", "b"], "x": [0.0, 1.0]}}) for t in range(80)]
    thawed = [alert.see(t, {"p": {"block": ["a", "b"], "x": [1e-9, 1.0]}}) for t in range(80, 82)]
    assert not any(frozen)
    assert thawed[1] is not None
    assert (thawed[1].block, thawed[1].usual, thawed[1].since) == ("a", 0.0, 80)
    assert "is 1e-09, and its usual 0, since step 80" in str(thawed[1])


def test_now_and_then_zero_is_not_judged() -> None:
    """A block that gets a gradient at every third step, as a rare expert does, has no spread that a number could be."""
    alert = QuantityAlert("p/x", Change(sustained=1), 3.0)
    assert not any(alert.see(t, {"p": {"x": 1.0 if t % 3 == 0 else 0.0}}) for t in range(200))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sustained": 11}, "sustained must lie between 1 and the lag of 10"),
        ({"sustained": 0}, "sustained must lie between 1"),
        ({"window": 7}, "a window needs 8 readings or more"),
        ({"floor": 0.0}, "floor must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, float], said: str) -> None:
    """Expected and found, in words."""
    with pytest.raises(ValueError, match=said):
        Change(**options)  # type: ignore[arg-type]
