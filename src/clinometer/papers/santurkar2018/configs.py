"""The configs of the paper's runs: its two networks by their factors, with the checks that spare a wasted run."""

import math
import operator
from importlib import import_module
from typing import Any

from clinometer.nn.vgg_plans import PLANS
from clinometer.papers.santurkar2018.networks.readings import READINGS
from clinometer.training.config import ProbeSpec, RunConfig
from clinometer.training.errors import check_choice
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.santurkar2018"
VGG, DEEP_LINEAR = f"{_HERE}.networks.vgg:vgg", f"{_HERE}.networks.deep_linear:deep_linear"
GAUSSIAN = f"{_HERE}.networks.gaussian:samples_and_targets"
CHANNELS = {"digits": 1, "cifar10": 3}  # data set to the channels of its images
HIGH_LR = {"digits": 1.0, "cifar10": 0.5}  # at which the standard network dies: digits take the paper's 0.5 in stride
SITES = ("activations_before_norm", "activations", "activations_after_relu")  # rows of the same layers at three sites
ROWS = (  # of the probes
    "landscape",
    "landscape_random",
    "internal_shift",
    *SITES,
    "batchnorm_terms",
    "batch_sharpness",
)
DLN_SHIFT = ("layers.layer9.linear", "layers.layer17.linear")  # Figure 3(b)'s; to measure all 25 costs ten times more
DLN_SIZES = (1 / 100, 1 / 10, 1.0, 10.0, 30.0)  # in multiples of the learning rate: the points of Figure 11(b)
# How far random directions are walked, in units of the parameters, whatever the gradient: as far as the walk along the
# gradient goes where that is as long as at the start of training, 1 in the VGG (lr 0.1) and 1e5 in the DLN (lr 1e-6).
DISTANCES = (0.05, 0.1, 0.2, 0.4)
DLN_DISTANCES = (0.001, 0.01, 0.1, 1.0, 3.0)


def vgg(
    norm: str = "batch",
    *,
    plan: str = "vgg_digits",
    data: str = "digits",
    width: float = 1.0,
    lr: float = 0.1,
    momentum: float = 0.0,
    batch_size: int = 128,
    steps: int = 150,
    seed: int = 0,
    measure_every: int = 10,
    test_every: int = 10,
) -> RunConfig:
    """A convolutional network, trained by SGD on images.

    Args:
        norm: A row of `NORMS`.
        plan: A row of `PLANS`.
        data: The name of a bundled data set.
        width: Factor on every layer's channels.
        lr: Learning rate.
        momentum: Of SGD.
        batch_size: Images of a step.
        steps: Of training.
        seed: Of weights, batches and noise.
        measure_every: Steps between measurements.
        test_every: Steps between passes over the test set.

    Example:
        >>> vgg("bacth")                                          # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        clinometer.training.errors.SpecError: no norm 'bacth'; there are none, batch, ... Did you mean 'batch'?
    """
    check_choice("data set", data, CHANNELS)
    check_choice("plan", plan, PLANS)
    settings = {"plan": plan, "width": _positive("width", width), "in_channels": CHANNELS[data]}
    return RunConfig(
        VGG,
        data,
        settings=Settings(**_trained(norm, lr, momentum), **settings),
        probes=_probes(Settings(), DISTANCES, Settings()),
        consecutive=SITES,
        batch_size=_whole("batch_size", batch_size),
        steps=_whole("steps", steps),
        seed=_whole("seed", seed, least=0),
        measure_every=_whole("measure_every", measure_every),
        test_every=_whole("test_every", test_every),
        channels_last=True,
    )


def deep_linear(
    norm: str = "batch",
    *,
    reading: str = "dln",
    width: int = 10,
    samples: int = 1_000,
    lr: float = 1e-6,
    momentum: float = 0.0,
    steps: int = 10_000,
    seed: int = 0,
    measure_every: int = 100,
) -> RunConfig:
    """A deep linear network, trained by gradient descent on all samples of a Gaussian regression.

    Args:
        norm: A row of `NORMS`.
        reading: A row of `READINGS`: how what the paper leaves open is decided.
        width: Units of each layer.
        samples: Inputs, drawn from the seed as the map to fit is.
        lr: Learning rate.
        momentum: Of SGD.
        steps: Of training.
        seed: Of weights, data and noise.
        measure_every: Steps between measurements.
    """
    check_choice("reading", reading, READINGS)
    settings = {"reading": reading, "width": _whole("width", width), "samples": _whole("samples", samples)}
    return RunConfig(
        DEEP_LINEAR,
        GAUSSIAN,
        loss=f"{_HERE}.networks.deep_linear:loss",
        trainer=f"{_HERE}.stacked:train",
        settings=Settings(**_trained(norm, lr, momentum), **settings),
        probes=_probes(Settings(sizes=DLN_SIZES), DLN_DISTANCES, Settings(only=DLN_SHIFT)),
        consecutive=SITES,
        batch_size=samples,  # each step sees them all
        steps=_whole("steps", steps),
        seed=_whole("seed", seed, least=0),
        measure_every=_whole("measure_every", measure_every),
    )


def is_deep_linear(config: RunConfig) -> bool:
    """Whether a run trains the deep linear network, which has a loss and no accuracy."""
    return config.model == DEEP_LINEAR


def _trained(norm: str, lr: float, momentum: float) -> dict[str, Any]:
    """The settings that both networks have."""
    norms = import_module("clinometer.nn.norms").NORMS  # torch is imported now, not by `list`
    check_choice("norm", norm, norms, listed=len(norms))
    if not 0 <= (momentum := _number("momentum", momentum)) < 1:
        raise ValueError(f"momentum must lie in [0, 1); found {momentum}.")
    return {"norm": norm, "lr": _positive("lr", lr), "momentum": momentum}


def _probes(walk: Settings, distances: tuple[float, ...], shift: Settings) -> tuple[ProbeSpec, ...]:
    return (  # in the order of ROWS
        ("landscape", walk),
        ("landscape", Settings(direction="random", distances=distances)),
        ("internal_shift", shift),
        *((f"{_HERE}.probes:{site}", None) for site in SITES),
        (f"{_HERE}.probes:batchnorm_terms", None),
        ("batch_sharpness", Settings()),
    )


def _positive(name: str, value: Any) -> float:
    if not 0 < _number(name, value) < math.inf:
        raise ValueError(f"{name} must be positive and finite; found {value}.")
    return float(value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be float; found {value!r}.")
    return float(value)


def _whole(name: str, value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be int; found {value!r}.")
    if operator.index(value) < least:
        raise ValueError(f"{name} must be {'positive' if least else 'at least 0'}; found {value}.")
    return operator.index(value)
