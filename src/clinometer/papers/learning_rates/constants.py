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
CALIBRATIONS: dict[str, dict[str, Calibration]] = {
    "range_test": {
        "sgd": Calibration(0.577, 0.268, 7.76, 0.25),
        "momentum": Calibration(0.395, 0.236, 4.18, 0.149),
        "adamw": Calibration(0.76, 0.198, 10.3, 0.0221),
        "muon": Calibration(0.504, 0.242, 3.93, 0.0372),
    },
    "critical_step": {
        "sgd": Calibration(1.18, 0.264, 1.5, 0.25),
        "momentum": Calibration(0.403, 0.208, 2.72, 0.125),
        "adamw": Calibration(0.359, 0.326, 6.83, 0.0526),
        "muon": Calibration(0.42, 0.286, 3.34, 0.149),
    },
    "curvature": {
        "sgd": Calibration(3.69, 0.079, 5.16, 0.25),
        "momentum": Calibration(0.234, 0.105, 18, 0.177),
        "adamw": Calibration(263, 0.0843, 46.5, 0.0131),
    },
    "smoothness": {
        "sgd": Calibration(2.51, 0.109, 6.67, 0.21),
        "momentum": Calibration(0.302, 0.173, 21.4, 0.177),
        "adamw": Calibration(0.294, 0.0644, 9.1, 0.0312),
        "muon": Calibration(1.03, 0.035, 7.13, 0.0312),
    },
    "constant": {
        "sgd": Calibration(1.68, 0.5, 4, 0.42),
        "momentum": Calibration(0.42, 0.5, 8, 0.21),
        "adamw": Calibration(0.149, 0.406, 12.6, 0.0743),
        "muon": Calibration(0.595, 0.203, 3.03, 0.0263),
    },
}  # by predictor and optimizer


def calibration(predictor: str, family: str) -> Calibration:
    """The calibration of a predictor for an optimizer; that of no data where it is not fitted yet."""
    return CALIBRATIONS.get(predictor, {}).get(family, UNFITTED)
