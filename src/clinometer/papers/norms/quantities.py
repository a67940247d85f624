"""What is read of each norm's runs: how smooth its landscape is, and how well it trains."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clinometer.analysis.accuracies import CHANCE, TEST_IMAGES
from clinometer.analysis.landscape import log_quantity
from clinometer.analysis.learning_progress import learning_starts
from clinometer.analysis.matched_loss import matched_difference
from clinometer.papers.norms.configs import NORMS, SWEEP, common, networks, tuned
from clinometer.results.run_table import Floats, RunTable
from clinometer.results.statistics import logit
from clinometer.studies.figure import Panel
from clinometer.training.config import Bases, RunConfig

_OTHER_TEST_IMAGES = 1_000  # those of `data.small_cifar10`
LAST_TESTS = 4  # whose mean is the accuracy at the end: that of one step depends on the step

NOTHING = Panel("no network has finished runs without a norm", "", "")

OfNorm = Callable[[RunTable, RunConfig, str, list[int]], Floats]  # runs, network, norm, seeds -> (seeds,)


@dataclass(frozen=True)
class Quantity:
    """One number of a norm's run, on the scale on which norms are compared."""

    told: str
    of: OfNorm
    scale: Literal["log10", "log2", "logit"]


def norms_made(runs: RunTable, network: RunConfig) -> list[str]:
    """Those of `NORMS` that have finished runs at both rates."""
    return [norm for norm in NORMS if runs.seeds(common(network, norm)) and runs.seeds(tuned(network, norm))]


def networks_made(runs: RunTable, bases: Bases) -> Mapping[str, RunConfig]:
    """Those networks that have finished runs without a norm, with which all others are compared."""
    return {name: network for name, network in networks(bases).items() if "none" in norms_made(runs, network)}


def seeds_of(runs: RunTable, network: RunConfig) -> list[int]:
    """The seeds that all norms with finished runs have; MissingRunsError if there is none, or none without a norm."""
    made = {"none": None, **dict.fromkeys(norms_made(runs, network))}
    return runs.common(*(at(network, norm) for norm in made for at in (common, tuned)))


def of_norms(runs: RunTable, network: RunConfig, name: str) -> Floats:
    """A row of `QUANTITIES` for each of `NORMS`, (norms, seeds); NaN where a run is not there or has no such number."""
    seeds, made = seeds_of(runs, network), norms_made(runs, network)
    nothing = np.full(len(seeds), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [QUANTITIES[name].of(runs, network, norm, seeds) if norm in made else nothing for norm in NORMS]
    values = np.stack(found)
    return np.where(np.isfinite(values), values, np.nan)


def _at_matched_loss(measured: Callable[[RunTable, RunConfig, list[int]], Floats], on: str = "none") -> OfNorm:
    """The logarithm of a quantity over the same with another norm, at the losses that both networks come through."""

    def of(runs: RunTable, network: RunConfig, norm: str, seeds: list[int]) -> Floats:
        if norm == on:
            return np.zeros(len(seeds))
        ours, other = common(network, norm), common(network, on)
        return matched_difference(runs, ours, other, functools.partial(measured, runs), seeds)

    return of


def _while_learning(probe: str, field: str, arm_of: Callable[[RunConfig, str], RunConfig]) -> OfNorm:
    """log10 of the median of a field over the measured steps from which the network has begun to learn."""

    def of(runs: RunTable, network: RunConfig, norm: str, seeds: list[int]) -> Floats:
        arm = arm_of(network, norm)
        values, steps = runs.values(arm, probe, field, seeds), runs.steps(arm, probe)
        learning = steps[None, :] >= learning_starts(runs, [arm], seeds)[:, None]
        medians = [
            np.median(row[chosen]) if chosen.any() else np.nan for row, chosen in zip(values, learning, strict=True)
        ]
        return np.log10(np.array(medians))

    return of


def _of_sweep(field: str) -> OfNorm:
    """log2 of a rate that the norm's sweep found."""
    return lambda runs, network, norm, seeds: np.log2(runs.values(tuned(network, norm), SWEEP, field, seeds)[:, 0])


def _accuracy(arm_of: Callable[[RunConfig, str], RunConfig]) -> OfNorm:
    """Log odds of the mean test accuracy of the last tests; after a run diverged, of chance."""

    def of(runs: RunTable, network: RunConfig, norm: str, seeds: list[int]) -> Floats:
        tested = np.nan_to_num(runs.values(arm_of(network, norm), "test", "accuracy", seeds), nan=CHANCE)
        return logit(tested[:, -LAST_TESTS:].mean(1), TEST_IMAGES.get(network.data, _OTHER_TEST_IMAGES))

    return of


def _relative_variation(runs: RunTable, arm: RunConfig, seeds: list[int]) -> Floats:
    """log10 of the largest minus the smallest loss of the filter-normalised walk, its start included."""
    walked, start = (runs.values(arm, "scale_free", field, seeds) for field in ("losses", "loss"))
    losses = np.concatenate([walked, start[..., None]], axis=-1)
    return np.log10(losses.max(-1) - losses.min(-1))


def _field(probe: str, field: str) -> Callable[[RunTable, RunConfig, list[int]], Floats]:
    return lambda runs, arm, seeds: np.log10(runs.values(arm, probe, field, seeds))


def _raw(name: str) -> Callable[[RunTable, RunConfig, list[int]], Floats]:
    return lambda runs, arm, seeds: log_quantity(runs, name)(arm, seeds)


SMOOTHNESS: Mapping[str, Quantity] = {  # the smaller, the smoother
    "variation": Quantity("scale-free loss variation", _at_matched_loss(_relative_variation), "log10"),
    "variation_on_batch": Quantity(
        "scale-free loss variation on BatchNorm's", _at_matched_loss(_relative_variation, on="batch"), "log10"
    ),
    "gap": Quantity("scale-free change of the gradient", _at_matched_loss(_field("scale_free", "gap")), "log10"),
    "beta": Quantity("scale-free β", _at_matched_loss(_field("scale_free", "beta")), "log10"),
    "raw_variation": Quantity("raw loss variation", _at_matched_loss(_raw("variation")), "log10"),
    "raw_gap": Quantity("raw change of the gradient", _at_matched_loss(_raw("gap")), "log10"),
    "raw_beta": Quantity("raw β", _at_matched_loss(_raw("beta")), "log10"),
    "critical_sharpness": Quantity("λ_c", _while_learning("headroom", "critical_sharpness", common), "log10"),
    "sharpness": Quantity("sharpness λ", _while_learning("sharpness", "value", common), "log10"),
}
TRAINING: Mapping[str, Quantity] = {
    "headroom": Quantity("headroom at the best rate", _while_learning("headroom", "loss", tuned), "log10"),
    "best": Quantity("best rate", _of_sweep("best"), "log2"),
    "largest": Quantity("largest trainable rate", _of_sweep("largest"), "log2"),
    "accuracy": Quantity("test accuracy at the shared rate", _accuracy(common), "logit"),
    "best_accuracy": Quantity("test accuracy at the best rate", _accuracy(tuned), "logit"),
}
QUANTITIES: Mapping[str, Quantity] = {**SMOOTHNESS, **TRAINING}
