"""`clinometer.alert`: what it makes, and what it refuses before a run is spent."""

import math
from functools import partial
from typing import Any

import pytest

from clinometer import alert
from clinometer.recorder.alerts import thresholds
from clinometer.recorder.alerts.actions import lower_lr
from clinometer.recorder.alerts.alert import CALIBRATED
from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.combined import CombinedAlert
from clinometer.recorder.alerts.quantity_alert import QuantityAlert
from clinometer.recorder.alerts.thresholds import Table


@pytest.mark.parametrize(
    ("quantity", "options", "said"),
    [
        ("p/x", {}, "one of rises=True, falls=True, above=..., below=...; found none of them"),
        ("p/x", {"rises": True, "above": 1}, "found rises and above"),
        ("p", {"rises": True}, "a probe and its field, such as 'headroom/loss'; found 'p'"),
        ("p/x", {"rises": True, "false_alarms": 0}, "false_alarms must be above 0"),
        ("p/x", {"rises": True, "false_alarms": math.inf}, "false_alarms must be above 0"),
        ("p/x", {"rises": True, "threshold": -1}, "threshold must be above 0"),
        ("p/x", {"rises": True, "sustained": 20}, "sustained must lie between 1 and the lag of 10"),
        ("p/x", {"above": math.nan}, "a limit must be a finite number"),
        ("p/x", {"above": 1, "sustained": 0}, "sustained must be 1 or more"),
        ("p/x", {"above": 1, "window": 20}, r"a limit \(above=\) takes no window"),
        ("p/x", {"below": 1, "threshold": 3}, r"a limit \(below=\) takes no threshold"),
        (None, {"rises": True}, "the default alert takes no rises"),
        (None, {"window": 20, "threshold": 3}, "the default alert takes no window, threshold"),
    ],
)
def test_what_makes_no_alert_is_refused(quantity: Any, options: dict[str, Any], said: str) -> None:
    """Expected and found, in words, when it is made."""
    with pytest.raises(ValueError, match=said):
        alert(quantity, **options)


def test_wrong_types_are_refused() -> None:
    """A function in the quantity's place, and an action that was called."""
    with pytest.raises(TypeError, match="quantity must be text such as"):
        alert(3, rises=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="then must be a function of the alarm"):
        alert("p/x", rises=True, then=0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a factor between 0 and 1; found 2"):
        lower_lr(2)


def test_a_rate_is_stated_where_it_was_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is made up: at its points the threshold is its own, between them it lies between."""
    calibrated = {**CALIBRATED, ("p/x", "rises"): (Change(window=30), Table({0.5: [9.0], 5.0: [5.0]}))}
    monkeypatch.setattr("clinometer.recorder.alerts.alert.CALIBRATED", calibrated)

    def made(**options: Any) -> QuantityAlert:
        found = alert("p/x", **options)
        assert isinstance(found, QuantityAlert)
        return found

    found = made(rises=True, false_alarms=5)
    assert (found.threshold, found.false_alarms, found.rule) == (5.0, 5, Change(window=30))
    assert 5.0 < made(rises=True).threshold < 9.0
    assert math.isnan(made(rises=True, window=31).false_alarms)
    assert math.isnan(made(rises=True, threshold=7).false_alarms)
    assert math.isnan(made(falls=True).false_alarms)
    with pytest.raises(ValueError, match=r"false_alarms must lie between 0\.5 and 5 in 10,000 healthy steps"):
        made(rises=True, false_alarms=50)


def test_without_a_rate_the_message_says_so() -> None:
    """A plausible rate would be the worst fault."""
    watched = alert("p/x", above=1.0, sustained=1)
    assert "How many such alarms healthy runs give is not calibrated." in str(watched.see(0, {"p": {"x": 2.0}}))


def test_the_default_alert_has_the_thresholds_of_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is made up: its members get their columns, and the rate that is stated is that of all of them."""
    made = "clinometer.recorder.alerts.alert"
    monkeypatch.setattr(f"{made}.DEFAULT", [partial(QuantityAlert, q, Change()) for q in ("p/x", "p/y")])
    monkeypatch.setattr(f"{made}.DEFAULT_TABLE", Table({0.5: [9.0, 8.0], 5.0: [5.0, 4.0]}))
    found = alert(false_alarms=5)
    assert isinstance(found, CombinedAlert)
    assert (found.name, found.false_alarms, found.quantities) == ("default", 5, ("p/x", "p/y"))
    assert [each.threshold for each in found.members] == [5.0, 4.0]  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="found 50"):
        alert(false_alarms=50)


def test_the_default_alert_can_be_made() -> None:
    """By the constants, whatever they are: it states the rate if it has a table."""
    found = alert()
    assert isinstance(found, CombinedAlert)
    assert math.isnan(found.false_alarms) == (thresholds.DEFAULT_TABLE is None)
