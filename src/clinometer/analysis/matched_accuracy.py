"""Test accuracy at matched training accuracy: whether a network that has trained as far as another tests better.

Each network is followed from the step at which it leaves chance, along the tested steps at which its running training
accuracy was higher than ever before. The first steps are left out: BatchNorm tests by its running statistics, which
then still hold what they began with. Between these the log odds of its test accuracy are interpolated against the
training accuracy, so that both networks are compared at the same training accuracies.
"""

import numpy as np

from clinometer.analysis.learning_progress import accuracy, left_chance, smooth
from clinometer.results.run_table import Floats, RunTable
from clinometer.results.statistics import logit
from clinometer.training.config import RunConfig

LEVELS = 12  # training accuracies compared, evenly spaced
SETTLED = 44  # steps after which less than 1% is left of the running statistics' first values, at momentum 0.1


def test_odds_at_common_accuracies(
    runs: RunTable, ours: RunConfig, other: RunConfig, count: int
) -> tuple[Floats, Floats]:
    """The mean log odds of both variants' test accuracy over the training accuracies that both pass, (seeds,) each.

    NaN for a seed whose networks have no training accuracy in common.

    Args:
        runs: The finished runs.
        ours: A variant of a classifier.
        other: Another.
        count: Images in the test set.
    """
    seeds = runs.common(ours, other)
    rises = [_rises(runs, arm, seeds, count) for arm in (ours, other)]
    found = np.full((2, len(seeds)), np.nan)
    for index, curves in enumerate(zip(*rises, strict=True)):
        if not all(len(trained) for trained, _ in curves):
            continue
        start, end = max(trained[0] for trained, _ in curves), min(trained[-1] for trained, _ in curves)
        if start < end:
            levels = np.linspace(start, end, LEVELS)
            found[:, index] = [np.interp(levels, trained, odds).mean() for trained, odds in curves]
    return found[0], found[1]


def _rises(runs: RunTable, arm: RunConfig, seeds: list[int], count: int) -> list[tuple[Floats, Floats]]:
    """For each seed the training accuracies that were higher than all before them, and the log odds in the test."""
    steps = runs.steps(arm, "test")
    trained = smooth(accuracy(runs, arm, seeds))[:, steps]
    odds = logit(runs.values(arm, "test", "accuracy", seeds), count)
    rises: list[tuple[Floats, Floats]] = []
    for reached, tested, start in zip(trained, odds, left_chance(runs, arm, seeds), strict=True):
        learning = np.where((steps >= max(start, SETTLED)) & np.isfinite(tested), reached, -np.inf)
        before = np.concatenate([[-np.inf], np.maximum.accumulate(learning)[:-1]])
        highest = learning > before
        rises.append((reached[highest], tested[highest]))
    return rises
