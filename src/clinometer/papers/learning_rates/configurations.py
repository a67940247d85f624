"""The configurations that rates are predicted for: 36 to tune on, and 72 held out with other networks.

Each network is trained by each of four optimizers, and each pair has one of several batch sizes, in turn. No network of
one set has the kind and width of one of the other.
"""

from collections.abc import Sequence

from clinometer.papers.learning_rates.grid import GRIDS
from clinometer.training.config import Bases, RunConfig
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.learning_rates"
STEPS = 150
SWEEP, PREDICT = f"{_HERE}.sweep:train", f"{_HERE}.predict:train"
_OPTIMIZERS = {"sgd": "sgd", "momentum": "momentum", "adamw": "adamw", "muon": "Muon"}
_BATCHES = {
    "mlp": (16, 64, 256, 32, 128),
    "Recurrent": (64, 16, 256, 128, 32),
}  # others as convolutions: they are slower
_SLOW = (32, 128, 64, 16, 96)

Network = tuple[str, int, int, str | None]  # its function, width, depth and norm; None where it has no choice of norm

TUNING: tuple[Network, ...] = (
    ("mlp", 24, 2, "none"),
    ("mlp", 96, 4, "none"),
    ("mlp", 48, 3, "batch"),
    ("mlp", 192, 2, "layer"),
    ("cnn", 12, 2, "none"),
    ("cnn", 24, 2, "batch"),
    ("resnet", 12, 1, "layer"),
    ("GPT", 24, 1, None),
    ("Recurrent", 48, 1, None),
)
HELD_OUT: tuple[Network, ...] = (
    ("mlp", 16, 1, "none"),
    ("mlp", 64, 2, "none"),
    ("mlp", 256, 2, "none"),
    ("mlp", 64, 6, "none"),
    ("mlp", 128, 3, "batch"),
    ("mlp", 32, 5, "batch"),
    ("mlp", 32, 3, "layer"),
    ("mlp", 128, 1, "layer"),
    ("cnn", 8, 2, "none"),
    ("cnn", 32, 2, "none"),
    ("cnn", 16, 3, "batch"),
    ("cnn", 16, 2, "layer"),
    ("resnet", 8, 2, "none"),
    ("resnet", 16, 2, "batch"),
    ("GPT", 32, 2, None),
    ("GPT", 16, 1, None),
    ("Recurrent", 32, 1, None),
    ("Recurrent", 64, 2, None),
)


def networks(of: Sequence[Network], bases: Bases) -> Sequence[Network]:
    """Those of a set that a study trains: all of them, or where its runs are shorter, as at the smoke scale, one.

    The smoke scale's two are both from the tuning set: nothing is learnt from it about the held-out one.
    """
    (base,) = bases.values()
    if base.steps >= STEPS:
        return of
    return TUNING[:1] if of is TUNING else TUNING[1:2]


def configurations(of: Sequence[Network], bases: Bases) -> list[RunConfig]:
    """Each network with each optimizer, as the configs of their sweeps.

    Example:
        >>> bases = {"digits": configuration(TUNING[0], "sgd")}
        >>> len(configurations(TUNING, bases)), len(configurations(HELD_OUT, bases))
        (36, 72)
    """
    (base,) = bases.values()
    return [
        configuration(network, optimizer, place + turn, base.steps)
        for place, network in enumerate(of)
        for turn, optimizer in enumerate(GRIDS)
    ]


def configuration(network: Network, optimizer: str, turn: int = 0, steps: int = STEPS) -> RunConfig:
    """The config of the sweep of one network with one optimizer.

    Args:
        network: One of a set.
        optimizer: A row of `GRIDS`.
        turn: Which of its batch sizes it has.
        steps: Of each training.
    """
    model, width, depth, norm = network
    sizes = _BATCHES.get(model, _SLOW)
    return RunConfig(
        f"{_HERE}.networks:{model}",
        optimizer=f"{_HERE}.optimizers:{_OPTIMIZERS[optimizer]}",
        trainer=SWEEP,
        settings=Settings({"width": width, "depth": depth, **({"norm": norm} if norm else {})}),
        probes=(),
        batch_size=sizes[turn % len(sizes)],
        steps=steps,
        measure_every=steps,  # a run has one row of `sweep`, or of `prediction`
        test_every=steps,
    )
