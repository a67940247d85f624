"""The seed of random vectors that are the same at every step of a run."""

import torch

from clinometer.probes.base import Step


def seed_of_run(step: Step) -> int:
    """The program's own seed, the same on all processes and at every step.

    Estimates at two steps then use the same random vectors, and most of their error cancels in the difference: a curve
    over training is smoother than its error bars. A mean over steps is no more precise than one step; runs with other
    seeds draw other vectors, so an interval over seeds counts the error.
    """
    return step.objective.ranks.broadcast(torch.initial_seed() % 2**53)
