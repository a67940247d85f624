"""Trains one of the networks at one rate by a bare loop: what the sweep's rates and the suggested ones have alike."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.papers.learning_rates.outcome import Trial
from clinometer.store import Row, Store
from clinometer.training.config import RunConfig
from clinometer.training.from_config import Data, build_model, build_optimizer, data_of
from clinometer.training.keeper import Keeper
from clinometer.training.parts import Batch, Samples, samples_of, seed_all

SEEDS = 3  # of each rate: weights and the order of the batches
FINAL = 20  # steps whose mean loss and accuracy are the final ones


@dataclass(frozen=True)
class Curve:
    """The loss and the accuracy of each step's batch, before the step; where a loss is not finite they end."""

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]

    @property
    def diverged(self) -> bool:
        """Whether its last loss is not finite."""
        return not math.isfinite(self.losses[-1])


def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy."""
    return F.cross_entropy(model(batch[0]), batch[1])


def samples(config: RunConfig, device: str = "cpu", data: Data | None = None) -> Samples:
    """The training samples of a config, ready for the network."""
    found = (data or data_of(config)).train
    return Samples(found.prepared(found.inputs).to(device), found.targets.to(device))


def batches(config: RunConfig, seed: int, train: Samples) -> Iterator[Batch]:
    """The batches of a training with this seed."""
    for chosen in samples_of(len(train.targets), config.batch_size, config.steps, seed):
        yield train.inputs[chosen], train.targets[chosen]


def seeds_of(config: RunConfig) -> list[int]:
    """The seeds of a config's trainings; those of another config seed are others."""
    return [SEEDS * config.seed + index for index in range(SEEDS)]


def build(config: RunConfig, seed: int) -> nn.Module:
    """The network of a config, initialised with this seed, in training mode."""
    return build_model(config.vary(seed=seed))


def curve(config: RunConfig, lr: float, seed: int, train: Samples, device: str = "cpu") -> Curve:
    """Train a config's network at a rate, with no warm-up, until its steps are done or its loss is not finite."""
    model = build(config, seed).to(device)
    optimizer = build_optimizer(config, model.parameters())
    for group in optimizer.param_groups:
        group["lr"] = lr
    seed_all(seed)
    losses: list[float] = []
    accuracies: list[float] = []
    for inputs, targets in batches(config, seed, train):
        outputs = model(inputs)
        loss = F.cross_entropy(outputs, targets)
        losses.append(loss.item())
        accuracies.append((outputs.detach().argmax(1) == targets).double().mean().item())
        if not math.isfinite(losses[-1]):
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Curve(tuple(losses), tuple(accuracies))


def trial(curves: Sequence[Curve]) -> Trial:
    """What became of a rate, from the curves of its seeds."""
    return Trial(
        tuple(each.losses[0] for each in curves),
        tuple(math.inf if each.diverged else _mean(each.losses) for each in curves),
        tuple(0.0 if each.diverged else _mean(each.accuracies) for each in curves),
    )


def write(keeper: Keeper, shown: Curve, first: Mapping[str, Row]) -> None:
    """Write a run: `train` at each step of a curve, and other rows at the first."""
    with closing(Store(keeper.run / "rows.sqlite")) as store:
        for step, (loss, accuracy) in enumerate(zip(shown.losses, shown.accuracies, strict=True)):
            store.append(step, {"train": {"loss": loss, "accuracy": accuracy}, **({} if step else first)})
        store.set_meta(ended=True)
        store.seal()


def _mean(values: Sequence[float]) -> float:
    return float(torch.tensor(values[-FINAL:], dtype=torch.float64).mean())
