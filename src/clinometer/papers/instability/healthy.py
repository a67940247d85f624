"""Healthy runs of the corpus: every network with every optimizer, at four rates up to near the largest stable one.

Warm-up, decay, batch size, weight decay and label noise vary along, so that alarms meet what they must not take for
an instability: progressive sharpening and the edge of stability, a rate that rises for a hundred steps or falls to 0,
gradients of small batches, BatchNorm's first steps, and losses that stay or that fall to a thousandth.
"""

from collections.abc import Mapping
from typing import Any

from clinometer.training.config import RunConfig
from clinometer.training.settings import Settings

_HERE = "clinometer.papers.instability"
STEPS = 300
HELD_OUT = 100  # the first seed of the held-out half

# By network and norm, or cell, for the optimizers in this order: the largest rate of a grid of factors of two, up to 2,
# 1, 1/4 and 1 (gpt: 2, 1, 1/16 and 1/4), at which neither seed 0 nor 1 breaks in 300 steps and both end below a quarter
# of their first loss (gpt: three quarters). Batches of 64 (gpt: 32), warm-up of 10 steps, constant rate; as
# `python benchmarks/stable_rates.py` finds them, within a factor of two: AdamW's for `gru` is half of that, and without
# its weight decay of 0.01 three of AdamW's, that one among them, come out at half of what stands here.
OPTIMIZERS = ("sgd", "momentum", "adamw", "muon")
LARGEST_STABLE: Mapping[tuple[str, str], tuple[float, float, float, float]] = {
    ("mlp", "none"): (0.5, 0.125, 0.0625, 0.125),
    ("mlp", "batch"): (2.0, 1.0, 0.25, 1.0),
    ("cnn", "none"): (0.25, 0.0625, 0.0625, 0.0625),
    ("cnn", "batch"): (1.0, 0.25, 0.25, 1.0),
    ("cnn", "layer"): (0.5, 0.125, 0.25, 1.0),
    ("resnet", "none"): (0.25, 0.125, 0.0625, 0.125),
    ("resnet", "batch"): (1.0, 0.25, 0.25, 1.0),
    ("gpt", "layer"): (1.0, 1.0, 0.0625, 0.25),
    ("recurrent", "tanh"): (1.0, 0.125, 0.03125, 0.0625),
    ("recurrent", "gru"): (2.0, 0.5, 0.0625, 0.0625),
}
SHARES = (0.05, 0.15, 0.35, 0.6)  # of the largest stable rate; times batch / 64 (gpt: 32) for smaller batches
WARM_UPS, BATCHES = (0, 10, 40, 100), (32, 128, 64, 16)
DECAYS, LABEL_NOISE, WEIGHT_DECAY = ("constant", "cosine"), (0.0, 0.2), (0.0, 5e-4)


def training(
    network: str,
    variant: str,
    optimizer: str,
    lr: float,
    *,
    seed: int,
    warm_up: int = 10,
    decay: str = "constant",
    batch_size: int = 64,
    label_noise: float = 0.0,
    weight_decay: float = 0.0,
) -> RunConfig:
    """The config of a run by the ordinary trainer, without probes.

    Args:
        network: `mlp`, `cnn`, `resnet`, `gpt` or `recurrent`.
        variant: The norm; of `recurrent`, the cell. gpt has LayerNorm alone, and no norm to choose.
        optimizer: `sgd`, `momentum` (which is `sgd` with 0.9), `adamw` or `muon`.
        lr: Full learning rate.
        seed: Of weights and batches.
        warm_up: Steps before the full rate.
        decay: `constant` or `cosine`.
        batch_size: Digits of a step.
        label_noise: Share of classes that are drawn anew; gpt, which has none, takes no notice.
        weight_decay: Of the optimizer.

    Example:
        >>> config = training("cnn", "batch", "momentum", 0.1, seed=3)
        >>> config["norm"], config["momentum"], config.seed
        ('batch', 0.9, 3)
    """
    settings: dict[str, Any] = {"lr": lr, "warm_up": warm_up, "decay": decay, "weight_decay": weight_decay}
    if network != "gpt":
        settings |= {"cell" if network == "recurrent" else "norm": variant, "label_noise": label_noise}
    if optimizer in ("sgd", "momentum"):
        settings["momentum"] = 0.9 if optimizer == "momentum" else 0.0
    return RunConfig(
        f"{_HERE}.networks.{network}:{network}",
        f"{_HERE}.data:{'pixels' if network == 'gpt' else 'images'}",
        optimizer=f"{_HERE}.optimizers:{'sgd' if optimizer == 'momentum' else optimizer}",
        scheduler=f"{_HERE}.schedules:warmed_up",
        settings=Settings(settings),
        probes=(),
        batch_size=batch_size,
        steps=STEPS,
        seed=seed,
        test_every=STEPS,
    )


def _healthy() -> list[RunConfig]:
    """One run for each network, optimizer and rate; two of the four rates of each pair are held out."""
    found: list[RunConfig] = []
    for pair, ((network, variant), optimizer) in enumerate((n, o) for n in LARGEST_STABLE for o in OPTIMIZERS):
        largest = LARGEST_STABLE[network, variant][OPTIMIZERS.index(optimizer)]
        for rate, share in enumerate(SHARES):
            held_out = HELD_OUT * ((pair + pair // 4 + rate) % 2)
            usual = 32 if network == "gpt" else 64
            batch_size = max(16, BATCHES[(pair + pair // 4 + 2 * rate) % 4] * usual // 64)
            found.append(
                training(
                    network,
                    variant,
                    optimizer,
                    share * largest * min(1.0, batch_size / usual),
                    seed=held_out + pair,
                    warm_up=WARM_UPS[(pair // 2 + rate) % 4],
                    decay=DECAYS[(pair + rate // 2) % 2],
                    batch_size=batch_size,
                    label_noise=LABEL_NOISE[(pair // 2 + pair // 4 + rate) % 2],
                    weight_decay=WEIGHT_DECAY[(pair // 4 + rate // 2) % 2],
                )
            )
    return found


HEALTHY = tuple(_healthy())  # the tuning half has seeds below 100
