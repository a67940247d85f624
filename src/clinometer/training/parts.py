"""The parts of a training run: samples and their order, the built run, its seed and its scores."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from clinometer.probes.base import Probe
from clinometer.store import Row
from clinometer.training.config import RunConfig

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Samples:
    """Inputs and targets, and the function that prepares a batch of inputs for the network."""

    inputs: Tensor  # (n, ...)
    targets: Tensor  # (n, ...)
    prepared: Callable[[Tensor], Tensor] = lambda inputs: inputs


@dataclass(frozen=True)
class Training:
    """One run's network, optimizer, loss, data and probes, on their device and ready for the first step."""

    model: nn.Module
    optimizer: Optimizer
    criterion: Callable[[Tensor, Tensor], Tensor]  # (outputs, targets) -> the loss
    batches: Callable[[int], Iterator[Batch]]  # a step -> the batches from it on, the same for the same seed
    probes: Mapping[str, Probe]
    test: Callable[[], Row] | None = None  # scores over the test set; None without one
    scheduler: LRScheduler | None = None  # of the optimizer's learning rate; None if that stays

    def loss_fn(self, model: nn.Module, batch: Batch) -> Tensor:
        """The loss of a batch (inputs, targets), as the loop computes it."""
        return self.criterion(model(batch[0]), batch[1])


def samples_of(count: int, batch_size: int, steps: int, seed: int, start: int = 0) -> Iterator[Tensor]:
    """The indices of each step's samples. The seed gives each epoch its order; its incomplete last batch is left out.

    Args:
        count: Number of samples.
        batch_size: Samples per step; all of them if there are fewer.
        steps: Number of steps in the run.
        seed: Seed of the orders.
        start: The first step to yield; earlier steps are drawn and skipped.

    Example:
        >>> [batch.tolist() for batch in samples_of(5, batch_size=2, steps=3, seed=0)]
        [[4, 0], [1, 3], [3, 4]]
        >>> [batch.tolist() for batch in samples_of(5, batch_size=2, steps=3, seed=0, start=2)]
        [[3, 4]]
    """
    generator = torch.Generator().manual_seed(seed)
    done = 0
    while done < steps:
        order = torch.randperm(count, generator=generator)
        for chosen in order.split(batch_size):
            if done == steps:
                return
            if len(chosen) == min(batch_size, count):
                done += 1
                if done > start:
                    yield chosen


def batches_of(samples: Samples, config: RunConfig, device: str, start: int = 0) -> Iterator[Batch]:
    """The batches of all steps from `start` on. A step's batch depends on the config's seed, not on `start`."""
    inputs, targets = samples.inputs.to(device), samples.targets.to(device)
    for chosen in samples_of(len(targets), config.batch_size, config.steps, config.seed, start):
        picked = chosen.to(device)
        batch = samples.prepared(inputs[picked])
        yield batch.to(memory_format=torch.channels_last) if config.channels_last else batch, targets[picked]


def bytes_of(tensor: Tensor) -> memoryview:
    """The bytes of a tensor of any dtype, for a digest.

    Example:
        >>> bytes_of(torch.tensor(1.0, dtype=torch.bfloat16)).hex()
        '803f'
    """
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def seed_all(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)  # a user's network may draw from it
    torch.manual_seed(seed)


def scores(outputs: Tensor, targets: Tensor, loss: Tensor) -> dict[str, Tensor]:
    """The loss, and the accuracy if targets are class indices: integers, and outputs have one more axis, the second.

    Example:
        >>> scores(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), torch.tensor([1, 1]), torch.tensor(0.5))
        {'loss': tensor(0.5000), 'accuracy': tensor(0.5000, dtype=torch.float64)}
        >>> scores(torch.zeros(2, 1), torch.zeros(2, 1), torch.tensor(0.5))
        {'loss': tensor(0.5000)}
    """
    if targets.dtype.is_floating_point or targets.dtype.is_complex or outputs.ndim != targets.ndim + 1:
        return {"loss": loss}
    return {"loss": loss, "accuracy": (outputs.argmax(1) == targets).double().mean()}


@torch.no_grad()
def tested_on(
    model: nn.Module, criterion: Callable[[Tensor, Tensor], Tensor], samples: Samples, device: str
) -> dict[str, Tensor]:
    """Loss and accuracy over all samples in evaluation mode; afterwards the mode of each module is restored."""
    modes = {module: module.training for module in model.modules()}  # some may have been in evaluation mode
    model.eval()
    pairs = zip(samples.inputs.split(500), samples.targets.split(500), strict=True)
    outputs = [(model(samples.prepared(inputs.to(device))), targets.to(device)) for inputs, targets in pairs]
    for module, training in modes.items():
        module.training = training
    joined, targets = torch.cat([o[0] for o in outputs]), torch.cat([o[1] for o in outputs])
    return scores(joined, targets, criterion(joined, targets))
