"""The numbers that predictors were fitted by, on the tuning set alone.

`python -m clinometer.papers.learning_rates.fit FOLDER` prints them, from the folder of a finished study.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Calibration:
    """How a predictor's rates compare with the measured ones, for the optimizers of one family."""

    factor: float  # the largest stable rate over the predicted one, the median
    low: float  # so many times the fitted prediction is exceeded in 95% of the tuning set,
    high: float  # so many in 5%
    fraction: float  # of the fitted largest rate: what trains best


UNFITTED = Calibration(1.0, 0.2, 5.0, 0.4)
CALIBRATIONS: dict[str, dict[str, Calibration]] = {}  # by predictor and optimizer


def calibration(predictor: str, family: str) -> Calibration:
    """The calibration of a predictor for an optimizer; that of no data where it is not fitted yet."""
    return CALIBRATIONS.get(predictor, {}).get(family, UNFITTED)
