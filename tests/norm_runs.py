"""A made-up table of runs, in which the smoother norm trains better: what figures and claims must find is known."""

import dataclasses

import numpy as np

from clinometer.papers import load_study
from clinometer.papers.norms.configs import NORMS, TUNED, arms
from clinometer.results.run_table import Arrays, RunTable
from clinometer.training.config import Bases, RunConfig

STUDY = load_study("norms")
BASES: Bases = STUDY.scales["smoke"].bases
SEEDS = range(6)


def table(*, better: float = 1.0, noise: float = 0.01) -> RunTable:
    """Runs of every arm: the k-th norm has 0.9^k of the first one's loss variation.

    Args:
        better: By how much log odds a norm's test accuracy and log2 of its largest rate exceed those of the one before.
        noise: Standard deviation of each logarithm over seeds.
    """
    generator = np.random.default_rng(0)
    return RunTable.of_arrays(
        {
            dataclasses.replace(arm, seed=seed): _run(arm, better, noise * generator.normal(size=3))
            for arm in arms(BASES)
            for seed in SEEDS
        }
    )


def _run(arm: RunConfig, better: float, noise: np.ndarray) -> Arrays:
    place = NORMS.index(arm["norm"])
    measured = len(arm.steps_of("landscape"))
    loss = np.geomspace(2.3, 0.5, measured)
    variation = np.full(measured, 0.9**place * np.exp(noise[0]))
    accuracy = 1 / (1 + np.exp(-(-1 + 0.1 * better * place + noise[1])))
    rows: dict[str, dict[str, np.ndarray]] = {
        "train": {"loss": np.geomspace(2.3, 0.5, arm.steps), "accuracy": np.full(arm.steps, 0.6)},
        "test": {"accuracy": np.full(len(arm.steps_of("test")), accuracy)},
        "headroom": {"loss": np.full(measured, 4.0), "critical_sharpness": variation},
    }
    if arm.trainer == TUNED:
        rows["sweep"] = {
            "best": np.array([0.25]),
            "largest": np.array([2.0 ** (better * place / 4 + noise[2])]),
            "unstable": np.array([64.0]),
        }
        return rows
    rows["landscape"] = {
        "loss": loss,
        "loss_max": loss,
        "loss_min": loss - variation,
        "grad_norm": np.ones(measured),
        "gap_max": variation,
        "beta": variation,
    }
    rows["scale_free"] = {
        "loss": loss,
        "losses": np.stack([loss - variation / 2, loss - variation], axis=1),
        "gap": variation,
        "beta": variation,
    }
    rows["sharpness"] = {"value": np.full(len(arm.steps_of("sharpness")), 3.0)}
    return rows
