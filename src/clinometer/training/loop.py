"""The training loop: minibatches, with the instrument around each step; and the networks of papers that it trains."""

import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.measures.batchnorm import batchnorms_of
from clinometer.nn.vgg import PLANS, VGG, glorot_
from clinometer.probes.activations import activations
from clinometer.probes.base import Probe
from clinometer.probes.batchnorm_terms import batchnorm_terms
from clinometer.probes.internal_shift import internal_shift
from clinometer.probes.landscape import landscape
from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import at
from clinometer.store import Row
from clinometer.training.checkpoint import Checkpoint, Keeper
from clinometer.training.config import Config, RunConfig
from clinometer.training.data.datasets import DATASETS, Dataset
from clinometer.training.parts import Batch, Samples, Training, bytes_of, samples_of, scores, seed_all, tested_on


def train(config: RunConfig, training: Training, folder: Path, keeper: Keeper | None = None) -> None:
    """Train one network and write `folder/rows.sqlite` as it goes, or go on from the checkpoint that was found.

    Rows: `train` (loss and minibatch accuracy, every step), `test` (loss and accuracy), and those of `probes_of`.
    Loss and accuracy are those of the step's own forward pass.
    A run whose loss is no longer finite ends there, with `diverged_at` among the store's facts; `ended` is the last.
    Its state is kept every so many seconds; what follows from there is, bit for bit, what would have followed.
    """
    model, optimizer = training.model, training.optimizer
    schedules = {name: at(*steps_of(config, name)) for name in training.probes}
    keeper = keeper or Keeper(folder)
    kept = keeper.found
    start = kept.step if kept else 0
    recorder = Recorder(
        model, training.loss_fn, training.probes, schedules, optimizer=optimizer, to=folder, start=start
    )
    tested = set(steps_of(config, "test"))
    seed_all(config.seed)  # the noise layers' draws
    if kept:
        kept.restore(model, optimizer, recorder)
    for step, batch in enumerate(training.batches(start), start):
        with recorder.step(batch):
            outputs = model(batch[0])
            loss = training.criterion(outputs, batch[1])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        rows: dict[str, Row] = {"train": scores(outputs, batch[1], loss)}
        if training.test and step in tested:
            rows["test"] = training.test()
        recorder.store.append(step, rows)
        if not math.isfinite(loss.item()):
            recorder.store.set_meta(diverged_at=step)
            break
        if keeper.due():
            keeper.save(Checkpoint.of(step + 1, model, optimizer, recorder))
    end(recorder)


def end(recorder: Recorder, **facts: Any) -> None:
    """Note that the run has ended, and with which weights, and fold its rows into one file."""
    digest = hashlib.sha256()
    for tensor in recorder.model.state_dict().values():
        if isinstance(tensor, Tensor):  # a module of somebody else's may keep something besides
            digest.update(bytes_of(tensor))
    recorder.store.set_meta(**facts, weights=digest.hexdigest(), ended=True)
    recorder.store.seal()
    recorder.store.close()


def training_of(config: Config, device: str = "cpu") -> Training:
    """What a run of a paper's study consists of."""
    data = DATASETS[config.data]()
    model = build(config, data).to(device)
    # A third faster on a CPU for narrow networks. torch's annotations lack this overload.
    model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr, momentum=config.momentum)
    order = functools.partial(batches, config, data, device)
    return Training(
        model, optimizer, F.cross_entropy, order, probes_of(model), functools.partial(test, model, data, device)
    )


def probes_of(model: nn.Module, sizes: Sequence[float] = (0.5, 1.0, 2.0, 4.0)) -> dict[str, Probe]:
    """What is measured in every run of a study, so that any figure can be drawn from any run.

    `sizes` are those of the landscape's steps, in multiples of the learning rate.
    """
    normed = [name for name, _ in model.named_modules() if name.endswith(".norm")]
    probes = [landscape(sizes), landscape(sizes, direction="random"), internal_shift(), activations(normed)]
    if batchnorms_of(model):
        probes.append(batchnorm_terms())
    return {probe.__name__: probe for probe in probes}


def steps_of(config: RunConfig, probe: str) -> range | list[int]:
    """The steps at which a run of `config` writes rows of `probe`, if it does not diverge."""
    if probe == "train":
        return range(config.steps)
    if probe == "test":
        return sorted({*range(0, config.steps, config.test_every), config.steps - 1})
    measured = range(0, config.steps, config.measure_every)
    if probe == "activations":  # and one step later: how far a distribution moves from a step to the next
        return sorted({step for first in measured for step in (first, first + 1) if step < config.steps})
    return measured


def build(config: Config, data: Dataset) -> nn.Module:
    """The network of a config, initialised from its seed."""
    channels = data.train_images.shape[1]
    return glorot_(VGG(PLANS[config.model], config.norm, config.width, channels, data.classes), config.seed)


def batches(config: Config, data: Dataset, device: str, start: int = 0) -> Iterator[Batch]:
    """The batches of all steps from `start` on: a function of seed and step."""
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    for chosen in samples_of(len(labels), config.batch_size, config.steps, config.seed, start):
        picked = chosen.to(device)
        batch = data.normalized(images[picked])
        yield batch.to(memory_format=torch.channels_last), labels[picked]


def test(model: nn.Module, data: Dataset, device: str) -> dict[str, Tensor]:
    """Loss and accuracy over the whole test set, in evaluation mode."""
    return tested_on(model, F.cross_entropy, Samples(data.test_images, data.test_labels, data.normalized), device)
