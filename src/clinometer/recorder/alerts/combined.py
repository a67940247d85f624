"""Several alerts that speak as one: an episode of any of them is one alarm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clinometer.recorder.alerts.alarm import Alarm
from clinometer.recorder.alerts.base import Alert, Then
from clinometer.recorder.alerts.quantity_alert import REFRACTORY
from clinometer.store import Row


class CombinedAlert(Alert):
    """Says the first alarm of several alerts, and none of the others' for 50 steps, but that a value became NaN.

    Blocks are ranked by the sum of their places in the rankings of all.

    Args:
        members: The alerts. What they are called, and what is done at their alarms, plays no part.
        name: What alarms are said in the name of.
        false_alarms: Those of all of them together, in 10,000 healthy steps; NaN where that is not known.
        then: What is done at an alarm.
    """

    def __init__(
        self, members: Sequence[Alert], *, name: str, false_alarms: float = math.nan, then: Then | None = None
    ) -> None:
        if not members:
            raise ValueError("a combined alert needs one alert or more; found none.")
        self.members, self.name, self.false_alarms, self.then = list(members), name, false_alarms, then
        self._said: int | None = None

    @property
    def quantities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(quantity for member in self.members for quantity in member.quantities))

    @property
    def waits_for(self) -> int:
        return min(member.waits_for for member in self.members)

    def ranking(self) -> tuple[str, ...]:
        return by_places([member.ranking() for member in self.members])

    def see(self, step: int, rows: Mapping[str, Row]) -> Alarm | None:
        said = [alarm for member in self.members if (alarm := member.see(step, rows))]
        said.sort(key=lambda alarm: alarm.kind != "not finite")
        if not said or (said[0].kind != "not finite" and self._said is not None and step - self._said <= REFRACTORY):
            return None
        self._said = step
        ranking = self.ranking()
        rate = math.nan if said[0].kind == "not finite" else self.false_alarms
        return replace(said[0], alert=self.name, ranking=ranking, false_alarms=rate)

    def reset(self) -> None:
        self.members = [member.fresh() for member in self.members]
        self._said = None

    def state_dict(self) -> dict[str, Any]:
        return {"members": [member.state_dict() for member in self.members], "said": self._said}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if len(state["members"]) != len(self.members):
            return
        for member, its in zip(self.members, state["members"], strict=True):
            member.load_state_dict(its)
        self._said = state["said"]


def by_places(rankings: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Blocks by the sum of their places in several rankings; one that a ranking lacks comes after its last.

    Example:
        >>> by_places([("head", "stem"), ("stem", "head", "body"), ("stem",), ()])
        ('stem', 'head', 'body')
    """
    known = [ranking for ranking in rankings if ranking]
    names = dict.fromkeys(name for ranking in known for name in ranking)

    def places(name: str) -> int:
        return sum(ranking.index(name) if name in ranking else len(ranking) for ranking in known)

    return tuple(sorted(names, key=places))
