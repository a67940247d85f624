"""The configs of the study: two networks by their norm, each at the rate that all share and at its own best one."""

import dataclasses
from collections.abc import Mapping

from clinometer.training.config import Bases, ProbeSpec, RunConfig
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.norms"
VGG, RESNET = f"{_HERE}.networks:vgg", f"{_HERE}.networks:resnet"
COMMON, TUNED = f"{_HERE}.trainer:at_its_rate", f"{_HERE}.trainer:at_best_rate"

SWEEP = "sweep"  # the name of a sweep's row
STRIDE = 4  # half octaves between the rates of a sweep: a factor of 4
RATES = tuple(range(-10, 7, STRIDE))  # half octaves: 2^-5 to 2^3
_LEAST = 20  # steps of a sweep, as the final loss is the mean of so many

NORMS = (
    "none",
    "batch",
    "layer",
    "group",
    "instance",
    "rms",
    "l1",
    "l2",
    "linf",
    "ghost_batch",
    "batch_renorm",
    "filter_response",
    "dynamic_tanh",
    "weight",
    "weight_standardization",
    "spectral",
    "mean_spectral",
    "fixup",
)
_LANDSCAPE: tuple[ProbeSpec, ...] = (
    ("landscape", Settings()),
    ("scale_free", Settings()),
    ("headroom", Settings()),
    ("sharpness", Settings(tolerance=0.01)),
)
_HEADROOM: tuple[ProbeSpec, ...] = (("headroom", Settings()),)


def base(data: str, side: int, in_channels: int, *, lr: float, steps: int, measure_every: int) -> RunConfig:
    """The VGG without a norm, at the rate that all norms share.

    Args:
        data: A bundled data set, or the import path of one.
        side: Of its images.
        in_channels: Of its images.
        lr: The rate.
        steps: Of each training that is measured; those of a sweep are shorter.
        measure_every: Steps between measurements; the sharpness is measured at every fourth of these.
    """
    return RunConfig(
        VGG,
        data,
        trainer=COMMON,
        settings=Settings(norm="none", lr=lr, side=side, in_channels=in_channels),
        probes=_LANDSCAPE,
        batch_size=64,
        steps=steps,
        measure_every=measure_every,
        intervals=Settings(sharpness=4 * measure_every),
        test_every=measure_every,
        channels_last=True,
    )


def networks(bases: Bases) -> Mapping[str, RunConfig]:
    """The two networks of a scale by their names, without a norm."""
    (vgg,) = bases.values()
    residual = {"norm": "none", "lr": vgg["lr"], "width": 16, "depth": 2, "in_channels": vgg["in_channels"]}
    return {"VGG": vgg, "ResNet": dataclasses.replace(vgg, model=RESNET, settings=Settings(residual))}


def common(network: RunConfig, norm: str) -> RunConfig:
    """A network with a norm, at the rate that all share."""
    return network.vary(norm=norm)


def tuned(network: RunConfig, norm: str) -> RunConfig:
    """A network with a norm, at the best rate of a sweep that its trainer makes.

    Example:
        >>> network = base("digits", 8, 1, lr=0.1, steps=50, measure_every=5)
        >>> "lr" in common(network, "batch").settings, "lr" in tuned(network, "batch").settings
        (True, False)
    """
    settings = {name: value for name, value in network.settings.items() if name != "lr"}
    return dataclasses.replace(
        network,
        trainer=TUNED,
        settings=Settings({**settings, "norm": norm, "half_octaves": RATES, "sweep_steps": _sweep_steps(network)}),
        probes=_HEADROOM,
        intervals=Settings({SWEEP: network.steps}),
    )


def _sweep_steps(network: RunConfig) -> int:
    """Of each of a sweep's six trainings: two fifths of those that are measured."""
    return max(2 * network.steps // 5, _LEAST)


def arms(bases: Bases) -> list[RunConfig]:
    """Every arm of the study: both networks with each norm, at the shared rate and at the best one."""
    return [arm for name in networks(bases) for arm in arms_of(bases, name)]


def arms_of(bases: Bases, name: str) -> list[RunConfig]:
    """The arms of one network."""
    return [at(networks(bases)[name], norm) for norm in NORMS for at in (common, tuned)]
