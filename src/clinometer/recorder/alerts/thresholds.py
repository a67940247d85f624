"""The thresholds of alerts by the rate of false alarms that they mean, and the alert that is taken by default.

PROVISIONAL: no table has been fitted yet.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.quantity_alert import QuantityAlert
from clinometer.recorder.alerts.rule import Direction

UNCALIBRATED = 6.0  # the threshold of an alert whose false alarms nobody has counted


@dataclass(frozen=True)
class Table:
    """How many false alarms an alert gave on healthy runs, by the thresholds of its members."""

    rates: Mapping[float, Sequence[float]]  # false alarms in 10,000 healthy steps: the threshold of each member

    def thresholds(self, false_alarms: float) -> tuple[float, ...]:
        """The threshold of each member for a rate, interpolated along the logarithm of rates.

        Raises:
            ValueError: if the rate lies outside of the table, where nothing was counted.

        Example:
            >>> table = Table({1.0: [8.0, 4.0], 100.0: [6.0, 2.0]})
            >>> table.thresholds(1.0), table.thresholds(10.0)
            ((8.0, 4.0), (7.0, 3.0))
        """
        rates = sorted(self.rates)
        if not rates[0] <= false_alarms <= rates[-1]:
            raise ValueError(
                f"false_alarms must lie between {rates[0]:g} and {rates[-1]:g} in 10,000 healthy steps, as was counted "
                f"on healthy runs; found {false_alarms:g}. Or pass threshold=, without a stated rate."
            )
        logs = [math.log(rate) for rate in rates]
        members = zip(*(self.rates[rate] for rate in rates), strict=True)
        return tuple(float(np.interp(math.log(false_alarms), logs, each)) for each in members)


# Alerts on one quantity: their rule and table.
CALIBRATED: Mapping[tuple[str, Direction], tuple[Change, Table]] = {}

# The default alert: its members, each a function of its threshold, and their table, or None where nothing was counted.
DEFAULT: Sequence[Callable[[float], Alert]] = (partial(QuantityAlert, "step_norms/gradient_norm", Change()),)
DEFAULT_TABLE: Table | None = None
