"""Alarms among the rows of a run: what a step's alerts said is kept with what its probes saw, in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.probes.field import Field
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.store import Row, Store

ROWS = "alarms"  # the name of the rows, beside those of probes
_AXES = ("alert",)
_SEPARATOR = "\n"  # between the names of blocks, which are Python identifiers and dots
FIELDS = {
    "alert": Field(_AXES, meaning="the names of the alerts that said an alarm", kind="text", drawing="none"),
    "quantity": Field(_AXES, meaning="what each reads", kind="text", drawing="none"),
    "called": Field(_AXES, meaning="what its message calls that", kind="text", drawing="none"),
    "kind": Field(_AXES, meaning="rises, falls, above, below, or not finite", kind="text", drawing="none"),
    "suspect": Field(
        _AXES, meaning="the most suspicious block; empty where there are none", kind="text", drawing="none"
    ),
    "ranking": Field(_AXES, meaning="the blocks, the most suspicious first, a line each", kind="text", drawing="none"),
    "value": Field(_AXES, meaning="of the most suspicious block", drawing="none"),
    "usual": Field(_AXES, meaning="the median of its own past; NaN where it has none", drawing="none"),
    "since": Field(_AXES, meaning="the first step at which it was so", kind="integer", drawing="none"),
    "limit": Field(_AXES, meaning="that it passed, if it is fixed; else NaN", drawing="none"),
    "false_alarms": Field(
        _AXES, unit="per 10,000 healthy steps", meaning="stated; NaN where not calibrated", drawing="none"
    ),
    "advice": Field(_AXES, meaning="what to try next", kind="text", drawing="none"),
    "message": Field(_AXES, meaning="all of it in words", kind="text", drawing="none"),
}


def as_row(alarms: Sequence[Alarm]) -> Row:
    """The alarms of one step as a row, an entry for each."""
    facts = [_facts(alarm) for alarm in alarms]
    return {field: [each[field] for each in facts] for field in FIELDS}


def alarms_in(store: Store) -> list[Alarm]:
    """All alarms of a run, in the order of its steps.

    Example:
        >>> store, said = Store(), Alarm(7, "mine", "headroom/loss", "headroom", "below", value=0.5, limit=1.0)
        >>> store.append(7, {"alarms": as_row([said])})
        >>> [(alarm.step, alarm.limit, alarm.block) for alarm in alarms_in(store)]
        [(7, 1.0, None)]
    """
    rows = store.rows(ROWS).get(ROWS, {})
    return [alarm for step, row in rows.items() for alarm in alarms_of(step, row)]


def alarms_of(step: int, row: Mapping[str, Any]) -> list[Alarm]:
    """The alarms of one step.

    Args:
        step: Which.
        row: As a store gives it: arrays.
    """
    return [_alarm(step, row, entry) for entry in range(len(row["alert"]))]


def _facts(alarm: Alarm) -> dict[str, Any]:
    ranking = _SEPARATOR.join(alarm.ranking)
    return {**vars(alarm), "suspect": alarm.block or "", "ranking": ranking, "message": str(alarm)}


def _alarm(step: int, row: Mapping[str, Any], entry: int) -> Alarm:
    facts: dict[str, Any] = {field: row[field][entry].item() for field in FIELDS}
    block, ranking = facts.pop("suspect"), facts.pop("ranking")
    del facts["message"]
    return Alarm(step, block=block or None, ranking=tuple(ranking.split(_SEPARATOR)) if ranking else (), **facts)
