"""The configs of the paper's runs, and the arms that they are varied into."""

from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.training.config import RunConfig
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.subramanian2019"
CHANNELS = {"digits": 1, "cifar10": 3}
PROBES = ((f"{_HERE}.probes:means", None), (f"{_HERE}.probes:gradients", None), (f"{_HERE}.probes:weights", None))
_PROJECTED = {"projection": True, "n_power_iterations": 100}  # of the author's code

ARMS: Mapping[str, Mapping[str, Any]] = {
    "none": {"norm": "none"},
    "batch": {"norm": "batch"},
    "spectral": {"norm": "spectral"},
    "mean_spectral": {"norm": "mean_spectral"},
    "spectral_projected": {"norm": "spectral", **_PROJECTED},
    "mean_spectral_projected": {"norm": "mean_spectral", **_PROJECTED},
}


def classifier(
    network: str,
    data: str,
    *,
    width: int,
    depth: int | None = None,
    steps: int,
    batch_size: int = 64,
    measure_every: int = 10,
    test_every: int = 50,
) -> RunConfig:
    """A small convolutional network without a norm, trained by Adam on images; arms vary it.

    Args:
        network: A function of `networks.py`.
        data: A bundled data set.
        width: Of the network.
        depth: Of a densely connected one.
        steps: Of training.
        batch_size: Images of a step; 64 in the author's code.
        measure_every: Steps between measurements.
        test_every: Steps between passes over the test set.
    """
    settings = {"norm": "none", "lr": 1e-3, "width": width, "in_channels": CHANNELS[data], "n_power_iterations": 1}
    return RunConfig(
        f"{_HERE}.networks:{network}",
        data,
        optimizer="torch.optim:Adam",
        settings=Settings(settings | {"projection": False} | ({"depth": depth} if depth else {})),
        probes=PROBES,
        batch_size=batch_size,
        steps=steps,
        measure_every=measure_every,
        test_every=test_every,
        channels_last=data == "cifar10",  # a third faster there
    )


def gan(*, width: int = 16, steps: int, measure_every: int, compare_every: int) -> RunConfig:
    """A discriminator without a norm, trained against a generator by Adam with the author's β; arms vary it.

    Args:
        width: Of the discriminator.
        steps: Of both.
        measure_every: Steps between measurements of the discriminator's loss.
        compare_every: Steps between comparisons of generated with real images.
    """
    return RunConfig(
        f"{_HERE}.gan.networks:discriminator",
        f"{_HERE}.gan.data:digits",
        optimizer="torch.optim:Adam",
        trainer=f"{_HERE}.gan.trainer:train",
        settings=Settings(
            {
                "norm": "none",
                "lr": 1e-3,
                "width": width,
                "n_power_iterations": 1,
                "projection": False,
                "betas": (0.5, 0.999),
            }
        ),
        probes=(("scale_free", Settings()),),
        batch_size=64,
        steps=steps,
        measure_every=measure_every,
        intervals=Settings({"samples": compare_every}),
        test_every=steps,
    )


def timing(base: RunConfig, rounds: int) -> RunConfig:
    """The config that times a classifier's steps in so many rounds."""
    return base.vary(trainer=f"{_HERE}.timing:train", probes=(), steps=rounds, measure_every=rounds, test_every=rounds)


def arms(base: RunConfig, names: Sequence[str], rates: Mapping[str, float]) -> list[RunConfig]:
    """The arms of a base by their names, each at its learning rate."""
    return [base.vary(**ARMS[name], lr=rates[name]) for name in names]


def arm_of(config: RunConfig) -> str:
    """The name of an arm.

    Example:
        >>> arm_of(classifier("cnn3", "digits", width=4, steps=1).vary(**ARMS["spectral_projected"]))
        'spectral_projected'
    """
    norm: str = config["norm"]
    return f"{norm}_projected" if config["projection"] else norm
