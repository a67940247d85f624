"""The thresholds of alerts by the rate of false alarms that they mean, and the alert that is taken by default.

Fitted on 29,430 healthy steps of 126 tuning runs of the corpus (docs/instability.md), by

    python -m clinometer.papers.instability.scores.tuning RUNS

where `clinometer reproduce instability --scale laptop --only tuning --to RUNS` makes the runs. Rates of 1 and below are
extrapolated: fewer than ten false alarms were there to be counted at 3 in 10,000.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from clinometer.recorder.alerts.base import Alert
from clinometer.recorder.alerts.change import Change
from clinometer.recorder.alerts.pooled import PooledAlert
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


_RATES = (30.0, 10.0, 3.0, 1.0, 0.3)


def _table(*thresholds: float) -> Table:
    return Table({rate: (threshold,) for rate, threshold in zip(_RATES, thresholds, strict=True)})


_EVERY_STEP, _EVERY_FIFTH = Change(), Change(sustained=2, window=12, lag=3)

# Alerts on one quantity: their rule and table. Those of step_norms were measured at every step, others at every fifth.
CALIBRATED: Mapping[tuple[str, Direction], tuple[Change, Table]] = {
    ("step_norms/update_ratio", "rises"): (_EVERY_STEP, _table(2.115, 3.061, 5.041, 6.495, 8.559)),
    ("step_norms/gradient_norm", "rises"): (_EVERY_STEP, _table(1.958, 2.950, 4.286, 6.165, 9.145)),
    ("step_norms/loss", "rises"): (_EVERY_STEP, _table(0.139, 0.466, 0.846, 1.160, 1.571)),
    ("step_norms/total_gradient_norm", "rises"): (_EVERY_STEP, _table(1.157, 1.830, 2.909, 4.578, 7.443)),
    ("step_norms/total_update_norm", "rises"): (_EVERY_STEP, _table(1.365, 1.994, 2.904, 3.970, 5.556)),
    ("activation_moments/var", "rises"): (_EVERY_FIFTH, _table(3.157, 4.660, 6.130, 8.133, 11.073)),
    ("activation_moments/kurtosis", "rises"): (_EVERY_FIFTH, _table(1.744, 2.884, 4.573, 7.066, 11.333)),
    ("attention_logits/largest", "rises"): (_EVERY_FIFTH, _table(3.282, 4.643, 6.867, 9.785, 14.403)),
}

# The default alert: its members, each a function of its threshold, and their table, or None where nothing was counted.
_POOLED = {"step_norms/loss": 2.0, "step_norms/total_update_norm": 1.0}
DEFAULT: Sequence[Callable[[float], Alert]] = (partial(PooledAlert, _POOLED, blamed=("step_norms/update_ratio",)),)
DEFAULT_TABLE: Table | None = _table(1.298, 2.563, 4.739, 6.831, 10.164)
