"""The arms that the figures compare, and how their curves are read: mean over seeds as a line, range as a band."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from clinometer.study.config import Config
from clinometer.study.figure import Panel, Ridges, Series, Values
from clinometer.study.table import Floats, Runs
from clinometer.study.trained import smooth

LABELS = {
    "none": "Standard",
    "batch": "Standard + BatchNorm",
    "noisy_batch": 'Standard + "noisy" BatchNorm',
}
BAND = "Line: mean over {n} seeds; band: their range."

# The layers that the paper shows, and their like in the small network, counted from 1 at the input.
SHOWN = {
    "figure_01": {"vgg16": (3, 11), "vgg_digits": (2, 5)},
    "figure_02": {"vgg16": (2, 9, 13), "vgg_digits": (1, 3, 5)},
    "figure_03": {"vgg16": (5, 10), "vgg_digits": (3, 5)},
}


def seed_count(runs: Runs, **arm: Any) -> int:
    """How many seeds an arm has; the figures say so."""
    return len(runs.seeds(**arm))


def curve(
    runs: Runs, probe: str, field: str, pick: Callable[[Floats], Floats] = lambda v: v, *, label: str, **arm: Any
) -> Series:
    """A field of an arm over training: mean and range over seeds. `pick` reduces (seeds, steps, ...) to two axes."""
    values = pick(runs.values(probe, field, **arm))
    return over_seeds(label, arm["norm"], runs.steps(probe, **arm), values)


def over_seeds(label: str, role: str, steps: Values, values: Floats) -> Series:
    """Values of shape (seeds, steps) as a line, their mean, in a band, their range."""
    return Series(label, role, steps, values.mean(0), low=values.min(0), high=values.max(0))


def accuracy_panel(runs: Runs, title: str, probe: str, arms: list[dict[str, Any]]) -> Panel:
    """Accuracy over training, in percent; a second learning rate is dashed."""
    series: list[Series] = []
    for arm in arms:
        label = LABELS[arm["norm"]] + (f", lr {arm['lr']:g}" if len({arm["lr"] for arm in arms}) > 1 else "")
        line = curve(runs, probe, "accuracy", _smooth_percent if probe == "train" else _percent, label=label, **arm)
        series.append(replace(line, dashed=arm["lr"] != arms[0]["lr"]))
    return Panel(title, "step", "accuracy (%)", tuple(series), ylim=(0, 102))


def ridge_panel(runs: Runs, layer: int, **arm: Any) -> Panel:
    """The histograms of unit 0 of a layer over training, in the first seed."""
    seed = runs.seeds(**arm)[0]
    index = list(runs.values("activations", "layer", seeds=[seed], **arm)[0, 0]).index(f"features.layer{layer}.norm")
    ridges = Ridges(
        arm["norm"],
        runs.steps("activations", **arm),
        runs.values("activations", "edges", seeds=[seed], **arm)[0, :, index],
        runs.values("activations", "counts", seeds=[seed], **arm)[0, :, index],
    )
    return Panel(f"{LABELS[arm['norm']]}, layer {layer}", "activation", "step", ridges=ridges)


def drift_panel(runs: Runs, arms: list[dict[str, Any]]) -> Panel:
    """How far the activations' means move between measured steps."""
    series = tuple(
        over_seeds(LABELS[arm["norm"]], arm["norm"], runs.steps("activations", **arm)[1:], relative_drift(runs, **arm))
        for arm in arms
    )
    return Panel("drift of the means", "step", "change / standard deviation", series)


def relative_drift(runs: Runs, seeds: list[int] | None = None, **arm: Any) -> Floats:
    """√(mean over units of the squared change of their means / mean over units of their variances), mean over layers.

    Between measured steps; shape (seeds, steps − 1).
    """
    means, variances = (runs.values("activations", field, seeds=seeds, **arm) for field in ("mean", "var"))
    change = _mean_over_units(np.diff(means, axis=1) ** 2)
    return np.sqrt(change / _mean_over_units(variances[:, 1:])).mean(2)


def _mean_over_units(values: Floats) -> Floats:
    """The mean over the last axis without its padding; NaN where nothing is left, after a run diverged."""
    count = np.isfinite(values).sum(-1)
    return np.nansum(values, -1) / np.where(count, count, np.nan)


def layers_shown(figure: str, base: Config) -> tuple[int, ...]:
    """The layers that a figure shows for the network of this scale."""
    return SHOWN[figure][base.model]


def _percent(values: Floats) -> Floats:
    return 100 * values


def _smooth_percent(values: Floats) -> Floats:
    return 100 * smooth(values)
