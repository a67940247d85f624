"""The loss of each step of a training at a rate, by a bare loop that keeps nothing else: what a sweep needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from clinometer.training.config import RunConfig
from clinometer.training.from_config import Data, build_model, build_optimizer, data_of
from clinometer.training.parts import Batch, Samples, batches_of, seed_all


@dataclass(frozen=True)
class Curve:
    """The loss and the accuracy of each step's batch, before the step; where a loss is not finite they end."""

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]

    @property
    def diverged(self) -> bool:
        """Whether its last loss is not finite."""
        return not math.isfinite(self.losses[-1])


def samples(config: RunConfig, device: str = "cpu", data: Data | None = None) -> Samples:
    """The training samples of a config, ready for the network."""
    found = (data or data_of(config)).train
    return Samples(found.prepared(found.inputs).to(device), found.targets.to(device))


def batches(config: RunConfig, seed: int, train: Samples) -> Iterator[Batch]:
    """The batches of a training with this seed."""
    return batches_of(train, config.vary(seed=seed), str(train.inputs.device))


def build(config: RunConfig, seed: int) -> nn.Module:
    """The network of a config, initialised with this seed, in training mode."""
    model = build_model(config.vary(seed=seed))
    if not config.channels_last:
        return model
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]  (an overload it lacks)


def curve(config: RunConfig, lr: float, seed: int, train: Samples, device: str = "cpu") -> Curve:
    """Train a config's classifier at a rate, with no warm-up, until its steps are done or its loss is not finite."""
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
