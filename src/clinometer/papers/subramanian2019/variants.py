"""The arms that figures and claims compare, each at its own learning rate, and what they are called."""

from collections.abc import Sequence

from clinometer.papers.subramanian2019.configs import ARMS, arm_of, arms
from clinometer.papers.subramanian2019.rates import RATES
from clinometer.training.config import Bases, RunConfig

LABELS = {
    "none": "no norm",
    "batch": "BN",
    "spectral": "SN",
    "mean_spectral": "MSN",
    "spectral_projected": "SN, projected",
    "mean_spectral_projected": "MSN, projected",
}
COLOURS = {  # Okabe and Ito's; both readings of a norm have one
    "none": "#D55E00",
    "batch": "#0072B2",
    "spectral": "#E69F00",
    "mean_spectral": "#009E73",
}
ALL = tuple(ARMS)
GANS = tuple(name for name in ARMS if name != "spectral_projected")  # a step of it costs as much as two others


def classifiers(bases: Bases, names: Sequence[str] = ALL) -> list[RunConfig]:
    """Classifiers with these norms."""
    base = bases["classifier"]
    return arms(base, names, RATES[base.data])


def gans(bases: Bases, names: Sequence[str] = GANS) -> list[RunConfig]:
    """Discriminators with these norms."""
    return arms(bases["gan"], names, RATES["gan"])


def timed(bases: Bases) -> list[RunConfig]:
    """What times steps."""
    return [bases["timing"]]


def label(config: RunConfig) -> str:
    """What an arm is called."""
    return LABELS[arm_of(config)]


def colour(config: RunConfig) -> str:
    """The key of an arm's colour."""
    return config["norm"]
