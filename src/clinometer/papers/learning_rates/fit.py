"""Fits the constants of each predictor on the tuning set: `python -m clinometer.papers.learning_rates.fit FOLDER`.

Of `suggest_lr` it prints by how much its own constants are off: see `learning_rate/constants.py`.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clinometer.papers.learning_rates.case import Case, cases_in
from clinometer.papers.learning_rates.configurations import TUNING
from clinometer.papers.learning_rates.constants import Calibration
from clinometer.papers.learning_rates.definition import STUDY
from clinometer.papers.learning_rates.grid import GRIDS
from clinometer.papers.learning_rates.prediction import PREDICTORS

FRACTIONS = 2.0 ** (-np.arange(33) / 4)  # of the largest stable rate: from all of it down to 1/256
_WORST = math.log(10.0)  # what a configuration may count at most: beyond, it is bad all the same
_QUANTILES = (0.05, 0.95)


def calibrate(cases: Sequence[Case], predictor: str) -> Calibration | None:
    """The constants of a predictor from the cases of one optimizer; None where it answered none of them."""
    told = [case for case in cases if 0 < case.raw[predictor] < math.inf and case.outcome.largest > 0]
    if not told:
        return None
    ratios = np.array([math.log(_measured(case) / case.raw[predictor]) for case in told])
    middle = float(np.median(ratios))
    low, high = np.quantile(ratios - middle, _QUANTILES)
    factor = math.exp(middle)
    losses = [
        np.mean([_excess(case, float(fraction) * factor * case.raw[predictor]) for case in told])
        for fraction in FRACTIONS
    ]
    best = float(FRACTIONS[int(np.argmin(losses))])
    return Calibration(*(float(f"{each:.3g}") for each in (factor, math.exp(low), math.exp(high), best)))


def calibrations(cases: Sequence[Case]) -> dict[str, dict[str, Calibration]]:
    """The constants of all predictors, by predictor and optimizer."""
    found = {
        predictor: {family: calibrate([case for case in cases if case.family == family], predictor) for family in GRIDS}
        for predictor in PREDICTORS
    }
    return {name: {family: each for family, each in of.items() if each} for name, of in found.items()}


def _measured(case: Case) -> float:
    """The middle of the two rates between which stability ends; the lower one where it is censored."""
    found = case.outcome
    return found.largest if found.censored else math.sqrt(found.largest * found.unstable)


def _excess(case: Case, lr: float) -> float:
    """Log of the final loss at a rate over the sweep's best, but not more than `_WORST`."""
    return min(math.log(case.loss_at(lr) / case.sweep_best.loss), _WORST)


def printed(found: Mapping[str, Mapping[str, Calibration]]) -> str:
    """The constants as they stand in `constants.py`."""
    lines = ["CALIBRATIONS: dict[str, dict[str, Calibration]] = {"]
    for name, of in found.items():
        lines.append(f'    "{name}": {{')
        for family, each in of.items():
            numbers = f"{each.factor:g}, {each.low:g}, {each.high:g}, {each.fraction:g}"
            lines.append(f'        "{family}": Calibration({numbers}),')
        lines.append("    },")
    return "\n".join([*lines, "}"])


if __name__ == "__main__":
    sys.stdout.write(printed(calibrations(cases_in(Path(sys.argv[1]), STUDY.scales["laptop"], TUNING))) + "\n")
