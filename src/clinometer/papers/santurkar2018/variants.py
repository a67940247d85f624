"""The arms that the figures compare: what they are called, and which of their layers the paper shows."""

from collections.abc import Iterable, Sequence
from typing import Any

from clinometer.papers.santurkar2018.configs import HIGH_LR
from clinometer.papers.santurkar2018.recorded import recording
from clinometer.training.config import Bases, RunConfig, grid

LABELS = {
    "none": "Standard",
    "batch": "Standard + BatchNorm",
    "noisy_batch": 'Standard + "noisy" BatchNorm',
    "noise": "Standard + noise",
    "l1": "Standard + L1 norm",
    "l2": "Standard + L2 norm",
    "linf": "Standard + L∞ norm",
}
LPS = ("l1", "l2", "linf")

# The layers that the paper shows, counted from 1 at the input, and their like in the small network.
SHOWN = {
    "figure_01": {"vgg16": (3, 11), "vgg_digits": (2, 5)},
    "figure_02": {"vgg16": (2, 9, 13), "vgg_digits": (1, 3, 5)},
    "figure_03": {"vgg16": (5, 10), "vgg_digits": (3, 5), "dln": (9, 17)},
    "figure_06": {"vgg16": (11,), "vgg_digits": (4,)},
    "figure_08": {"vgg16": (2, 9, 13), "vgg_digits": (1, 3, 5)},
    "figure_09": {"dln": (1, 11, 24)},
}


def vgg(bases: Bases, norms: Sequence[str], lr: float | None = None) -> list[RunConfig]:
    """Convolutional networks, an arm per norm, at the scale's learning rate or at another."""
    return _arms(bases["vgg"], norms, lr)


def high_lr(bases: Bases) -> float:
    """The scale's higher learning rate, at which BatchNorm trains and the standard network does not."""
    return HIGH_LR[bases["vgg"].data]


def dln(bases: Bases, norms: Sequence[str], lr: float | None = None) -> list[RunConfig]:
    """Deep linear networks, an arm per norm, at the scale's learning rate or at another."""
    return _arms(bases["dln"], norms, lr)


def vary(base: RunConfig, **factors: Iterable[Any]) -> list[RunConfig]:
    """An arm for each combination of the factors' values, recording what is read of it."""
    return [recording(arm, base) for arm in grid(base, **factors)]


def label(arm: RunConfig) -> str:
    """What an arm is called in the paper."""
    return LABELS.get(arm["norm"]) or LABELS[arm["norm"].split("_")[0]]  # another reading of an Lp norm


def layers_shown(figure: str, arm: RunConfig) -> tuple[int, ...]:
    """The layers that a figure shows of this arm's network."""
    return SHOWN[figure][arm.settings.get("plan", "dln")]


def _arms(base: RunConfig, norms: Sequence[str], lr: float | None) -> list[RunConfig]:
    return vary(base, norm=norms, lr=[base["lr"] if lr is None else lr])
