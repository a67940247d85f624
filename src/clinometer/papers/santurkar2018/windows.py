"""The windows of training in which the landscapes of two networks are compared, at equal steps and at matched loss.

One summary of a curve cannot stand for it: early in training the standard network may be rough, or still be at chance
and flat; its largest value may lie in a spike of a few steps; and a mean over the run is that of its long flat end.
"""

import numpy as np

from clinometer.analysis.learning_progress import learning_starts
from clinometer.analysis.matched_loss import matched_difference
from clinometer.analysis.paired import Measure, mean_difference, of_most_seeds
from clinometer.papers.santurkar2018.configs import is_deep_linear
from clinometer.results.run_table import Floats, RunTable
from clinometer.training.config import RunConfig

EARLY, START, PEAK, WHOLE, BEGUN, MATCHED = (
    "early",
    "from step 0",
    "peak",
    "whole run",
    "once both have begun",
    "at matched loss",
)
EARLY_SHARE = 0.1  # of a VGG's steps: the paper's first 1,500 of 15,000
EARLY_STEPS = 400  # of a DLN, at every scale: its loss falls from the first step on


def early_steps(arm: RunConfig) -> float:
    """For how many steps it is early in training."""
    return EARLY_STEPS if is_deep_linear(arm) else EARLY_SHARE * arm.steps


def log_ratios(runs: RunTable, ours: RunConfig, other: RunConfig, measure: Measure, probe: str) -> dict[str, Floats]:
    """log10 of ours over the other's by window, each of shape (seeds in which both learn,); see `of_most_seeds`.

    Means of logarithms, but for the peak, which compares the largest values of the run, at whichever step each lies.
    A network that never begins to learn is flat because it is dead, and is compared with none.

    Args:
        runs: The finished runs.
        ours: A variant.
        other: Another, of the same steps.
        measure: A logarithm at each measured step.
        probe: What measured it.
    """
    seeds = runs.common(ours, other)
    one, two = measure(ours, seeds), measure(other, seeds)
    steps = np.broadcast_to(runs.steps(ours, probe), one.shape)
    begun = learning_starts(runs, [ours, other], seeds)[:, None]
    windows = {
        EARLY: mean_difference(one, two, (steps >= begun) & (steps <= begun + early_steps(ours))),
        START: mean_difference(one, two, steps <= early_steps(ours)),
        PEAK: one.max(1) - two.max(1),
        WHOLE: mean_difference(one, two, steps >= 0),
        BEGUN: mean_difference(one, two, steps >= begun),
        MATCHED: matched_difference(runs, ours, other, measure),
    }
    return {window: of_most_seeds(values, begun[:, 0] <= steps[:, -1]) for window, values in windows.items()}
