"""A fixed limit on a quantity: the rule where theory or the user knows the number."""

import math
from dataclasses import dataclass

import numpy as np

from clinometer.recorder.alerts.reading import Numbers
from clinometer.recorder.alerts.rule import Rule, Scores

_REMEMBERED = 40  # readings that say what was usual; for the message alone


@dataclass(frozen=True)
class Limit(Rule):
    """How far a quantity lies beyond a limit, in its own units: the least of the last `sustained` readings.

    Args:
        limit: The limit.
        is_rise: Whether values above it are suspicious, or those below.
        sustained: How many readings in a row must lie beyond.
    """

    limit: float
    is_rise: bool = True
    sustained: int = 4

    def __post_init__(self) -> None:
        if not math.isfinite(self.limit):
            raise ValueError(f"a limit must be a finite number; found {self.limit}.")
        if self.sustained < 1:
            raise ValueError(f"sustained must be 1 or more readings; found {self.sustained}.")

    @property
    def needs(self) -> int:
        return self.sustained

    @property
    def keeps(self) -> int:
        return self.sustained + _REMEMBERED

    def prepared(self, values: Numbers) -> Numbers:
        return values

    def scores(self, past: Numbers) -> Scores:
        beyond = past[-self.sustained :] - self.limit
        beyond = np.where(np.isnan(beyond), -np.inf, beyond if self.is_rise else -beyond)
        earlier = past[: -self.sustained]
        usual = np.median(earlier, axis=0) if len(earlier) else np.full(past.shape[1], np.nan)
        return Scores(beyond.min(axis=0), beyond.mean(axis=0), usual)
