"""Mistakes with alerts, refused in words before anything is trained."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, cast

from clinometer.probes.base import Probe
from clinometer.probes.field import Field
from clinometer.recorder.alerts.actions import lower_lr
from clinometer.recorder.alerts.alarm_rows import ROWS
from clinometer.recorder.alerts.base import Alert


def check_alerts(alerts: Any, probes: Mapping[str, Probe], *, has_optimizer: bool = True) -> list[Alert]:
    """The alerts as a list.

    Raises:
        TypeError: if they are something else.
        ValueError: if two have one name, one reads what none of the probes records, or one lowers a rate of nothing.
    """
    if isinstance(alerts, str) or not isinstance(alerts, Iterable):
        raise TypeError(f"alerts must be a list, such as [clinometer.alert()]; found {alerts!r}.")
    found = list(cast("Iterable[Any]", alerts))
    for each in found:
        if not isinstance(each, Alert):
            known = "the function alert itself" if getattr(each, "__name__", "") == "alert" else repr(each)
            raise TypeError(f"an alert is made by a call: alerts=[clinometer.alert(...)]; found {known}.")
        for quantity in each.quantities:
            _check_recorded(quantity, probes)
        if isinstance(each.then, lower_lr) and not has_optimizer:
            raise ValueError(f"the alert {each.name!r} lowers the rate of an optimizer: pass optimizer= to Recorder.")
    names = [each.name for each in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two alerts are named {twice.pop()!r}; tell them apart: alert(..., name=...).")
    if found and ROWS in probes:
        raise ValueError(f"a probe is named {ROWS!r}, as the rows of alarms are; give it another name.")
    return found


def _check_recorded(quantity: str, probes: Mapping[str, Probe]) -> None:
    probe, _, field = quantity.partition("/")
    declared = {name: _numbers(each) for name, each in probes.items()}
    if probe in probes and (not declared[probe] or field in declared[probe]):
        return  # a probe that declares nothing is known by its first row
    recorded = [f"{name}/{each}" for name, fields in declared.items() for each in fields]
    close = difflib.get_close_matches(quantity, recorded, n=1, cutoff=0.4)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    missing = "" if probe in probes else f" Without a probe {probe!r} there are no rows of it: add it to probes=."
    raise ValueError(
        f"an alert reads {quantity!r}, which none of the probes records.{meant}{missing} What alerts can read here: "
        f"{', '.join(recorded) or 'nothing that probes declare'}."
    )


def _numbers(probe: Probe) -> list[str]:
    """The fields of a probe that hold a number, or one for each entry of a single axis."""
    fields: Mapping[str, Field] = getattr(probe, "fields", None) or {}
    return [name for name, field in fields.items() if field.kind != "text" and len(field.axes) < 2]
