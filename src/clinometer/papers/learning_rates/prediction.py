"""What was predicted of a configuration by each predictor, and what became of the rate that `suggest_lr` took."""

import math
from dataclasses import dataclass

from clinometer.analysis.stable_rate import Trial
from clinometer.papers.learning_rates.constants import calibration

SUGGESTED = "suggest_lr"
PREDICTORS = {
    SUGGESTED: "`suggest_lr`",
    "range_test": "range test: where a rising rate blows the loss up",
    "critical_step": "critical step (2/λ_c) after a short training",
    "curvature": "2/λ_max at the start, or its like for the optimizer",
    "smoothness": "2/β at the start",
    "constant": "one rate per optimizer, nothing measured",
}


@dataclass(frozen=True)
class Prediction:
    """One predictor's answer for one configuration; NaN where it has none."""

    largest: float  # the largest stable rate
    low: float  # the interval around it
    high: float
    chosen: float  # the rate to train at
    trial: Trial | None = None  # what became of that rate; None where it was not trained

    @property
    def answered(self) -> bool:
        """Whether there is a rate."""
        return math.isfinite(self.largest)


def fitted(predictor: str, family: str, raw: float) -> Prediction:
    """The answer of a predictor that knows one number: times its constant, with the interval of the tuning set.

    Args:
        predictor: Its name.
        family: The optimizer's name in `GRIDS`.
        raw: Its number: a rate, or 1 for the one that measures nothing.
    """
    if not 0 < raw < math.inf:
        return Prediction(math.nan, math.nan, math.nan, math.nan)
    known = calibration(predictor, family)
    largest = known.factor * raw
    return Prediction(largest, known.low * largest, known.high * largest, known.fraction * largest)
