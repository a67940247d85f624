"""`clinometer.alert`: makes an alert from a quantity and what is alarming about it."""

import math
from dataclasses import replace
from typing import Any

from clinometer.recorder.alerts.base import Alert, Then
from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.combined import CombinedAlert
from clinometer.recorder.alerts.limit import Limit
from clinometer.recorder.alerts.quantity_alert import QuantityAlert
from clinometer.recorder.alerts.rule import Direction
from clinometer.recorder.alerts.thresholds import CALIBRATED, DEFAULT, DEFAULT_TABLE, UNCALIBRATED


def alert(
    quantity: str | None = None,
    *,
    rises: bool = False,
    falls: bool = False,
    above: float | None = None,
    below: float | None = None,
    false_alarms: float = 1.0,
    sustained: int | None = None,
    window: int | None = None,
    lag: int | None = None,
    relative: bool | None = None,
    threshold: float | None = None,
    name: str | None = None,
    then: Then | None = None,
) -> Alert:
    """An alarm where a quantity leaves its own past for several readings in a row, or passes a limit.

    `rises` and `falls` compare the quantity's logarithm with the run's own past, block by block: see `Change` for the
    formula. `above` and `below` are fixed limits. A value that was finite and becomes NaN is an alarm at once. Before
    there are `window` + `lag` readings (50 by default) a change cannot be judged, and nothing is said.

    Args:
        quantity: As "step_norms/update_ratio": a probe's name and one of its fields, a number or one for each block.
            By default the alert that did best on held-out runs that broke; see `docs/alerts.md`.
        rises: Whether it is alarming that it rises; or one of the next three.
        falls: That it falls.
        above: That it lies above this limit.
        below: That it lies below this limit.
        false_alarms: How many to put up with in 10,000 healthy steps; where that was calibrated for the quantity, it
            sets the threshold, and the alarm states it.
        sustained: How many readings in a row; 4 by default.
        window: How many readings say what is usual; 40 by default. Other settings than the default ones have no stated
            rate.
        lag: How many readings lie between them and the end; 10 by default.
        relative: Whether to judge each block's share of the median over all blocks.
        threshold: In robust standard deviations, in place of `false_alarms`; the alarm then states no rate.
        name: What its alarms are said in the name of.
        then: A function of the alarm, called after it was said: such as `stop`, or `lower_lr(0.5)`.

    Raises:
        ValueError: if it is not clear what is alarming, or a number is out of its range.
        TypeError: if the quantity is no text, or `then` no function.

    Example:
        >>> watched = alert("step_norms/update_ratio", rises=True)
        >>> row = {"block": ["conv", "head"], "update_ratio": [0.01, 0.02]}
        >>> for step in range(60):
        ...     watched.see(step, {"step_norms": row})
        >>> said = [watched.see(step, {"step_norms": row | {"update_ratio": [0.01, 0.2]}}) for step in range(60, 70)]
        >>> [(alarm.step, alarm.block, alarm.since) for alarm in said if alarm]
        [(63, 'head', 60)]
    """
    if then is not None and not callable(then):
        raise TypeError(f"then must be a function of the alarm, such as stop or lower_lr(0.5); found {then!r}.")
    if not (math.isfinite(false_alarms) and false_alarms > 0):
        raise ValueError(f"false_alarms must be above 0, in 10,000 healthy steps; found {false_alarms}.")
    settings = {"sustained": sustained, "window": window, "lag": lag, "relative": relative}
    given: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    alarming = {"rises": rises or None, "falls": falls or None, "above": above, "below": below}
    kinds = [kind for kind, value in alarming.items() if value is not None]
    if quantity is None:
        _refuse("the default alert", [*kinds, *given, *(["threshold"] if threshold is not None else [])])
        return _default(false_alarms, name, then)
    _check_quantity(quantity)
    if len(kinds) != 1:
        raise ValueError(
            f"say what is alarming about {quantity}: one of rises=True, falls=True, above=..., below=...; found "
            f"{' and '.join(kinds) or 'none of them'}."
        )
    if kinds[0] in ("above", "below"):
        unfit = [key for key in ("window", "lag", "relative") if key in given]
        _refuse(f"a limit ({kinds[0]}=)", [*unfit, *(["threshold"] if threshold is not None else [])])
        rule = Limit(float(above if above is not None else below or 0.0), above is not None, **given)
        return QuantityAlert(quantity, rule, 0.0, name=name, then=then)
    return _change(quantity, "rises" if rises else "falls", false_alarms, threshold, given, name, then)


def _change(
    quantity: str,
    direction: Direction,
    false_alarms: float,
    threshold: float | None,
    settings: dict[str, Any],
    name: str | None,
    then: Then | None,
) -> QuantityAlert:
    known, table = CALIBRATED.get((quantity, direction), (Change(direction), None))
    rule, rate = replace(known, **settings), math.nan
    if threshold is None and table and rule == known:
        (threshold,), rate = table.thresholds(false_alarms), false_alarms
    if threshold is None:
        threshold = UNCALIBRATED
    if not threshold > 0:
        raise ValueError(f"threshold must be above 0 robust standard deviations; found {threshold}.")
    return QuantityAlert(quantity, rule, threshold, name=name, false_alarms=rate, then=then)


def _default(false_alarms: float, name: str | None, then: Then | None) -> Alert:
    thresholds = DEFAULT_TABLE.thresholds(false_alarms) if DEFAULT_TABLE else [UNCALIBRATED] * len(DEFAULT)
    members = [make(threshold) for make, threshold in zip(DEFAULT, thresholds, strict=True)]
    rate = false_alarms if DEFAULT_TABLE else math.nan
    return CombinedAlert(members, name=name or "default", false_alarms=rate, then=then)


def _check_quantity(quantity: Any) -> None:
    if not isinstance(quantity, str):
        raise TypeError(f"quantity must be text such as 'step_norms/update_ratio'; found {quantity!r}.")
    probe, _, field = quantity.partition("/")
    if not probe or not field:
        raise ValueError(f"quantity must be a probe and its field, such as 'headroom/loss'; found {quantity!r}.")


def _refuse(of: str, given: list[str]) -> None:
    if given:
        raise ValueError(f"{of} takes no {', '.join(given)}; leave it out, or name a quantity and whether it rises.")
