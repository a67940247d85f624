"""What an alert says: which quantity, of which block, how far from usual, how sure, and what to try next."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clinometer.readable.results import readable

Kind = Literal["rises", "falls", "above", "below", "not finite"]


@readable
@dataclass(frozen=True)
class Alarm:
    r"""What an alert says at a step; `str` of it is the message.

    Example:
        >>> alarm = Alarm(143, "update_ratio rises", "step_norms/update_ratio", "update_ratio", "rises", block="attn",
        ...               ranking=("attn", "head"), value=0.31, usual=0.034, since=138, false_alarms=1.0,
        ...               advice="lower the rate of that block, or clip")
        >>> print(str(alarm).replace(". ", ".\n"))
        step 143: update_ratio of attn is 0.31, 9.1 times its usual 0.034, since step 138.
        About 1 such alarm in 10,000 healthy steps.
        Next: lower the rate of that block, or clip (docs/alerts.md).
    """

    step: int
    alert: str  # the name of the alert
    quantity: str  # as "step_norms/update_ratio"
    called: str  # what the message calls the quantity
    kind: Kind
    block: str | None = None  # the most suspicious one; None where the quantity is one number
    ranking: tuple[str, ...] = ()  # the names of all blocks, the most suspicious first
    value: float = math.nan  # of that block, at this step
    usual: float = math.nan  # the median of its own past; NaN where it has none
    since: int = 0  # the first of the readings in a row for which it has been so
    limit: float = math.nan  # that it passed, where the alert has a fixed one
    false_alarms: float = math.nan  # stated, in 10,000 healthy steps; NaN where that is not known
    advice: str = ""  # what to try next

    def __str__(self) -> str:
        of = f"{self.called} of {self.block}" if self.block is not None else self.called
        sure = "" if self.kind == "not finite" else f" {self._sure()}"
        look = f" Look first at {' and '.join(self.ranking[:2])}." if self.block is None and self.ranking else ""
        return f"step {self.step}: {of} {self._found()}.{look}{sure} Next: {self.advice} (docs/alerts.md)."

    def as_dict(self) -> dict[str, Any]:
        """Its fields, as JSON can hold them."""
        return dataclasses.asdict(self) | {"ranking": list(self.ranking)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Alarm":
        """The alarm that `as_dict` wrote."""
        given = dict(fields)
        return cls(ranking=tuple(given.pop("ranking")), **given)

    def _found(self) -> str:
        value, usual = f"{self.value:.2g}", f"{self.usual:.2g}"
        if self.kind == "not finite":
            return f"became {self.value}" + ("" if math.isnan(self.usual) else f"; its usual was {usual}")
        since = f"since step {self.since}"
        if self.kind in ("above", "below"):
            known = "" if math.isnan(self.usual) else f"; its usual was {usual}"
            return f"is {value}, {self.kind} {self.limit:g} {since}{known}"
        if self.usual == 0 or self.value == 0:
            return f"is {value}, and its usual {usual}, {since}"
        times = (
            f"{self.value / self.usual:.2g} times" if self.value > self.usual else f"{self.value / self.usual:.0%} of"
        )
        return f"is {value}, {times} its usual {usual}, {since}"

    def _sure(self) -> str:
        if math.isnan(self.false_alarms):
            return "How many such alarms healthy runs give is not calibrated."
        return f"About {self.false_alarms:g} such alarm{'' if self.false_alarms == 1 else 's'} in 10,000 healthy steps."
