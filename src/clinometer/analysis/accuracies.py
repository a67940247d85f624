"""Accuracies as claims compare them: by their log odds, told in percentage points, so no interval leaves [0, 1]."""

from math import exp, log

import numpy as np

from clinometer.analysis.learning_progress import LAST, final_accuracy, mean_accuracy
from clinometer.results.run_table import Floats, RunTable
from clinometer.results.statistics import logit
from clinometer.studies.comparison import Comparison, above, below, points_at
from clinometer.training.config import RunConfig

CHANCE = 0.1  # both data sets have ten classes
TEST_IMAGES = {"digits": 297, "cifar10": 10_000}
ALIVE = 0.2  # twice chance: above it a network has begun to learn


def mean_odds(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    """Log odds of the mean minibatch training accuracy over the run, (seeds,): how fast a network learns."""
    return logit(mean_accuracy(runs, arm, seeds), arm.steps * arm.batch_size)


def final_odds(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    """Log odds of the training accuracy over the last steps, (seeds,)."""
    return logit(final_accuracy(runs, arm, seeds), LAST * arm.batch_size)


def final_test_accuracy(runs: RunTable, arm: RunConfig, seeds: list[int], field: str = "accuracy") -> Floats:
    """The last test's accuracy, (seeds,); chance after a run diverged. `field` is its name in the rows `test`."""
    return np.nan_to_num(runs.values(arm, "test", field, seeds)[:, -1], nan=CHANCE)


def test_odds(runs: RunTable, arm: RunConfig, seeds: list[int], images: int) -> Floats:
    """Log odds of the test accuracy at the end, (seeds,); that of chance after a run diverged."""
    return logit(final_test_accuracy(runs, arm, seeds), images)


def higher(name: str, ours: Floats, other: Floats, margin: float = 0.0) -> Comparison:
    """The part "our accuracy is higher than the other's, or lower by less than a margin", from their log odds.

    Args:
        name: What is compared.
        ours: Shape (seeds,), as is the other.
        other: The log odds at whose mean the difference and the margin are told in percentage points.
        margin: A share, such as 0.05 for five points; where the other is nearer to chance, down to chance.
    """
    reference = float(np.mean(other))
    return above(name, ours - other, _lower(reference, margin), points_at(reference))


def lower(name: str, ours: Floats, other: Floats) -> Comparison:
    """The part "our accuracy is lower than the other's", from their log odds."""
    return below(name, ours - other, 0.0, points_at(float(np.mean(other))))


def not_alive(name: str, accuracies: Floats) -> Comparison:
    """The part "the accuracy lies below twice chance", from its log odds; told as the difference from chance."""
    return below(name, accuracies - _odds(CHANCE), _odds(ALIVE) - _odds(CHANCE), points_at(_odds(CHANCE)))


def _lower(reference: float, margin: float) -> float:
    """By how much log odds fall where the accuracy falls by a margin, but not below chance."""
    return _odds(max(1 / (1 + exp(-reference)) - margin, CHANCE)) - reference if margin else 0.0


def _odds(accuracy: float) -> float:
    return log(accuracy) - log(1 - accuracy)
