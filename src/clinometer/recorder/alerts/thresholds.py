"""The thresholds of alerts by the rate of false alarms that they mean, and the alert that is taken by default.

PROVISIONAL: no table has been fitted yet.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.rule import Direction

UNCALIBRATED = 6.0  # the threshold of an alert whose false alarms nobody has counted


@dataclass(frozen=True)
class Calibration:
    """How many false alarms a rule gave on healthy runs, by its threshold."""

    rule: Change
    table: Mapping[float, float]  # false alarms in 10,000 healthy steps: the threshold that gives so many

    def threshold(self, false_alarms: float) -> float:
        """The threshold for a rate, interpolated along the logarithm of rates.

        Raises:
            ValueError: if the rate lies outside of the table, where nothing was counted.

        Example:
            >>> Calibration(Change(), {1.0: 8.0, 10.0: 6.0}).threshold(1.0)
            8.0
        """
        rates = sorted(self.table)
        if not rates[0] <= false_alarms <= rates[-1]:
            raise ValueError(
                f"false_alarms must lie between {rates[0]:g} and {rates[-1]:g} in 10,000 healthy steps, as was counted "
                f"on healthy runs; found {false_alarms:g}. Or pass threshold=, without a stated rate."
            )
        logs, thresholds = [math.log(rate) for rate in rates], [self.table[rate] for rate in rates]
        return float(np.interp(math.log(false_alarms), logs, thresholds))


CALIBRATED: Mapping[tuple[str, Direction], Calibration] = {}
DEFAULT: tuple[tuple[str, Direction], ...] = (("step_norms/gradient_norm", "rises"),)
