"""Trains one of the networks at one rate by a bare loop: what the sweep's rates and the suggested ones have alike."""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.store import Row
from clinometer.training.config import RunConfig
from clinometer.training.curve import Curve
from clinometer.training.keeper import Keeper
from clinometer.training.parts import Batch

SEEDS = 3  # of each rate: weights and the order of the batches


def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy."""
    return F.cross_entropy(model(batch[0]), batch[1])


def seeds_of(config: RunConfig) -> list[int]:
    """The seeds of a config's trainings; those of another config seed are others."""
    return [SEEDS * config.seed + index for index in range(SEEDS)]


def write(keeper: Keeper, shown: Curve, first: Mapping[str, Row]) -> None:
    """Write a run: `train` at each step of a curve, and other rows at the first."""
    with keeper.rows() as store:
        for step, (loss, accuracy) in enumerate(zip(shown.losses, shown.accuracies, strict=True)):
            store.append(step, {"train": {"loss": loss, "accuracy": accuracy}, **({} if step else first)})
