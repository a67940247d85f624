"""How good each predictor is over a set of configurations."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.papers.learning_rates.case import Case
from clinometer.papers.learning_rates.prediction import PREDICTORS
from clinometer.results.clustered import share
from clinometer.results.statistics import Interval

FACTOR = 1.5  # of the measured rate, within which a prediction is right
CLOSE, NEAR = 1.05, 1.10  # of the final loss of the sweep's best


@dataclass(frozen=True)
class Score:
    """What is known of one predictor."""

    predictor: str
    right: Interval  # share whose largest stable rate is within a factor 1.5; no answer is not right
    answered: Interval  # share with an answer
    error: float  # the median factor between predicted and measured rate, of those answered
    bias: float  # the median of predicted over measured, of those answered
    covered: Interval  # share, of those answered, whose interval holds the measured rate
    width: float  # the median of the interval's upper end over its lower one
    failed: Interval  # share, of those answered, that are not stable at the chosen rate
    close: Interval  # share whose final loss is within 5% of the sweep's best; no answer is not
    near: Interval  # the same within 10%
    excess: float  # the median final loss over that of the sweep's best, of those answered


def score(cases: Sequence[Case], predictor: str) -> Score:
    """The score of a predictor; intervals at 95%, with the configurations of one network as a cluster."""
    told = [case for case in cases if case.predictions[predictor].answered]
    errors = np.array([case.error(predictor) for case in told])
    intervals = [case.predictions[predictor] for case in told]
    return Score(
        predictor,
        right=_share(cases, [is_right(case, predictor) for case in cases]),
        answered=_share(cases, [case in told for case in cases]),
        error=math.exp(_median(abs(errors))),
        bias=math.exp(_median(errors)),
        covered=_share(told, [case.covered(predictor) for case in told]),
        width=_median(np.array([each.high / each.low for each in intervals])),
        failed=_share(told, [case.failed(predictor) for case in told]),
        close=_share(cases, [case.excess(predictor) <= CLOSE for case in cases]),
        near=_share(cases, [case.excess(predictor) <= NEAR for case in cases]),
        excess=_median(np.array([case.excess(predictor) for case in told])),
    )


def scores(cases: Sequence[Case]) -> list[Score]:
    """The scores of all predictors."""
    return [score(cases, predictor) for predictor in PREDICTORS]


def is_right(case: Case, predictor: str) -> bool:
    """Whether the predicted largest stable rate is within a factor 1.5 of the measured one."""
    return abs(case.error(predictor)) <= math.log(FACTOR) * (1 + 1e-9)


def second_draw(cases: Sequence[Case], factor: float = CLOSE) -> Interval:
    """Share of configurations in which the sweep's best, with other seeds, is within so much of itself.

    No choice of a rate can be expected to come closer more often.
    """
    return _share(cases, [float(np.mean(case.again)) <= factor * case.sweep_best.loss for case in cases])


def seeds_apart(cases: Sequence[Case], factor: float = CLOSE) -> Interval:
    """Share of configurations in which the three seeds of the sweep's best rate differ by more than so much."""
    return _share(cases, [max(case.sweep_best.final) > factor * min(case.sweep_best.final) for case in cases])


def clusters(cases: Sequence[Case]) -> list[Hashable]:
    """The network of each case."""
    return [case.network for case in cases]


def _share(cases: Sequence[Case], hits: Sequence[bool]) -> Interval:
    return share(hits, clusters(cases))


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else math.nan
