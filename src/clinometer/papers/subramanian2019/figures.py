"""The study's figures: what each shows of which arms."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module

import numpy as np

from clinometer.analysis.learning_progress import smooth
from clinometer.papers.subramanian2019.drift import levels
from clinometer.papers.subramanian2019.rows import DEFINED, SAMPLES, SITES, STEP_TIME, THRESHOLDS, VARIANTS
from clinometer.papers.subramanian2019.variants import COLOURS, classifiers, colour, gans, label, timed
from clinometer.plots.panels import accuracy_panel, reference
from clinometer.results.run_table import Floats, RunTable
from clinometer.results.statistics import interval
from clinometer.studies.figure import Estimate, Figure, Panel
from clinometer.studies.series import StyledVariant, band_caption, mean_and_range
from clinometer.studies.study import FigureSpec
from clinometer.training.config import Bases, RunConfig

Measure = Callable[[RunConfig], Floats]  # of an arm, (seeds, steps)
_WHERE = {
    "conv": "convolutions' outputs",
    "norm": "before the ReLU",
    "relu": "after the ReLU",
}


def draw_drift(runs: RunTable, bases: Bases) -> Figure:
    """κ at three sites over training, and the mean of the weights."""
    arms = classifiers(bases)
    panels = [
        _panel(runs, arms, "means", _WHERE[site], "κ", lambda arm, s=site: levels(runs, arm, runs.common(arm), s))
        for site in SITES
    ]
    weights = _panel(
        runs,
        arms,
        "weights",
        "entries of the weights",
        "|mean| / deviation",
        lambda arm: np.abs(runs.values(arm, "weights", "mean")).mean(-1),
    )
    return _figure(
        runs,
        arms,
        "drift",
        (*panels, weights),
        "κ: root mean square of the units' means over that of their deviations, mean over layers; the convolutions' "
        "outputs are what SN's ReLUs take, and of what MSN and BN subtract the mean. Last: the mean of the entries of "
        "a weight over their deviation, mean over layers.",
    )


def draw_accuracy(runs: RunTable, bases: Bases) -> Figure:
    """Training and test accuracy, each arm at its own rate."""
    arms = classifiers(bases)
    return _figure(
        runs,
        arms,
        "accuracy",
        (
            accuracy_panel(runs, "training accuracy", "train", _styled(arms), smooth),
            accuracy_panel(runs, "test accuracy", "test", _styled(arms)),
        ),
        "Minibatch training accuracy, averaged over 9 steps, and test accuracy; each arm at its own best learning "
        "rate.",
    )


def draw_sparsity(runs: RunTable, bases: Bases) -> Figure:
    """The gradient's sparsity over training, and over thresholds."""
    arms = classifiers(bases)
    place = THRESHOLDS.index(DEFINED)
    over_training = _panel(
        runs,
        arms,
        "gradients",
        f"below {DEFINED:g} of the largest",
        "share of entries (%)",
        lambda arm: 100 * runs.values(arm, "gradients", "sparsity")[..., place],
    )
    x = np.array([max(threshold, THRESHOLDS[1] / 100) for threshold in THRESHOLDS])
    by_threshold = Panel(
        "mean over training",
        "threshold; the leftmost is exactly 0",
        "share of entries (%)",
        tuple(
            mean_and_range(
                each, x, 100 * runs.values(each.config, "gradients", "sparsity").mean(1), runs.seeds(each.config)
            )
            for each in _styled(arms)
        ),
        xscale="log",
    )
    return _figure(
        runs,
        arms,
        "sparsity",
        (over_training, by_threshold),
        "The share of entries of the gradient by all weights that are small beside the largest.",
    )


def draw_times(runs: RunTable, bases: Bases) -> Figure:
    """The ratios of CPU times, a line for each variant."""
    (arm,) = timed(bases)
    panels = tuple(
        Panel(title, "CPU time over BN's", "", estimates=_ratios(runs, arm, field), xscale="log")
        for field, title in (("ratio", "training step"), ("evaluation", "forward pass in evaluation"))
    )
    caption = (
        f"Ratios of CPU times on one thread, the median over rounds of each of {len(runs.seeds(arm))} runs: their "
        "geometric mean with Student's 95% interval. Below 1, MSN is faster; the abstract says about 0.84."
    )
    return Figure(TITLES["step_time"], caption, panels, 1)


def _ratios(runs: RunTable, arm: RunConfig, field: str) -> tuple[Estimate, ...]:
    found = [interval(column) for column in np.log10(runs.values(arm, STEP_TIME, field)[:, 0]).T]
    return tuple(
        _ratio(name, *(10**end for end in (each.value, each.low, each.high)))
        for name, each in zip(VARIANTS, found, strict=True)
    )


def _ratio(name: str, value: float, low: float, high: float) -> Estimate:
    verdict = "holds" if high < 1 else "fails" if low > 1 else "undecided"
    ends = f" ({low:.2f} to {high:.2f})" if math.isfinite(high) else ""
    return Estimate(name, value, low, high, (0.0, 1.0), verdict, f"{value:.2f}{ends}")


def draw_gan(runs: RunTable, bases: Bases) -> Figure:
    """Distances of generated to real digits, the discriminator's smoothness, and its slope."""
    arms = gans(bases)
    frechet, *others = (
        _panel(runs, arms, probe, title, ylabel, lambda arm, p=probe, f=field: runs.values(arm, p, f), log=True)
        for probe, field, title, ylabel in (
            (SAMPLES, "frechet", "Fréchet distance", "to the training digits"),
            (SAMPLES, "mmd", "unbiased MMD²", "to the training digits"),
            ("scale_free", "gap", "discriminator's loss", "relative change of the gradient"),
            (SAMPLES, "slope", "discriminator", "steepest slope by the image"),
        )
    )
    of_real = import_module("clinometer.papers.subramanian2019.gan.distance").of_real_digits  # torch is imported now
    floor = reference("test digits", frechet.series[0].x, of_real())
    panels = (replace(frechet, series=(*frechet.series, floor)), *others)
    return _figure(
        runs,
        arms,
        "gan",
        panels,
        "Dotted: real digits of the test set, of which there are 297. Each arm is at its own best learning rate.",
    )


def _panel(
    runs: RunTable, arms: Sequence[RunConfig], probe: str, title: str, ylabel: str, of: Measure, *, log: bool = False
) -> Panel:
    lines = tuple(
        mean_and_range(each, runs.steps(each.config, probe), of(each.config), runs.seeds(each.config))
        for each in _styled(arms)
    )
    return Panel(title, "step", ylabel, lines, yscale="log" if log else "linear")


def _styled(arms: Sequence[RunConfig]) -> list[StyledVariant]:
    """A colour for each norm; the projected reading is dashed."""
    return [StyledVariant(arm, label(arm), colour(arm), dashed=arm["projection"]) for arm in arms]


def _figure(runs: RunTable, arms: Sequence[RunConfig], name: str, panels: Sequence[Panel], caption: str) -> Figure:
    band = band_caption(runs, arms, [label(arm) for arm in arms])
    return Figure(TITLES[name], f"{caption} {band}", tuple(panels), 2, COLOURS)


TITLES = {
    "drift": "Mean drift: how far units are from centred",
    "accuracy": "Accuracy, each norm at its own best learning rate",
    "sparsity": "Sparsity of the gradient",
    "step_time": "What MSN takes, beside BN",
    "gan": "A small GAN on digits, by the discriminator's norm",
}
FIGURES = {
    "drift": FigureSpec(TITLES["drift"], classifiers, draw_drift),
    "accuracy": FigureSpec(TITLES["accuracy"], classifiers, draw_accuracy),
    "sparsity": FigureSpec(TITLES["sparsity"], classifiers, draw_sparsity),
    "step_time": FigureSpec(TITLES["step_time"], timed, draw_times),
    "gan": FigureSpec(TITLES["gan"], gans, draw_gan),
}
