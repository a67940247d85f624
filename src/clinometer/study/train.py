"""The training loop: plain SGD on minibatches, with the instrument around each step."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.measure.batchnorm import batchnorms_of
from clinometer.nn.vgg import PLANS, VGG, glorot_
from clinometer.record.lines import landscape
from clinometer.record.probes import activations, batchnorm_terms, internal_shift
from clinometer.record.recorder import Probe, Recorder
from clinometer.record.schedules import at
from clinometer.study.checkpoint import Checkpoint, Keeper
from clinometer.study.config import Config
from clinometer.study.data import DATASETS, Dataset

Batch = tuple[Tensor, Tensor]


def train(config: Config, folder: Path, device: str = "cpu", keeper: Keeper | None = None) -> None:
    """Train one network and write `folder/rows.sqlite` as it goes, or go on from the checkpoint that was found.

    Rows: `train` (loss and minibatch accuracy, every step), `test` (loss and accuracy), and those of `probes_of`.
    Loss and accuracy are those of the step's own forward pass.
    A run whose loss is no longer finite ends there, with `diverged_at` among the store's facts; `ended` is the last.
    Its state is kept every so many seconds; what follows from there is, bit for bit, what would have followed.
    """
    data = DATASETS[config.data]()
    model = build(config, data).to(device)
    # A third faster on a CPU for narrow networks. torch's annotations lack this overload.
    model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr, momentum=config.momentum)
    probes = probes_of(model)
    schedules = {name: at(*steps_of(config, name)) for name in probes}
    keeper = keeper or Keeper(folder)
    kept = keeper.found
    start = kept.step if kept else 0
    recorder = Recorder(model, loss_fn, probes, schedules, optimizer=optimizer, to=folder, start=start)
    tested = set(steps_of(config, "test"))
    torch.manual_seed(config.seed)  # the noise layers' draws
    if kept:
        kept.restore(model, optimizer, recorder)
    for step, batch in enumerate(batches(config, data, device, start), start):
        with recorder.step(batch):
            logits = model(batch[0])
            loss = F.cross_entropy(logits, batch[1])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        rows = {"train": {"loss": loss, "accuracy": _accuracy(logits, batch[1])}}
        if step in tested:
            rows["test"] = test(model, data, device)
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
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    recorder.store.set_meta(**facts, weights=digest.hexdigest(), ended=True)
    recorder.store.seal()
    recorder.store.close()


def probes_of(model: nn.Module, sizes: Sequence[float] = (0.5, 1.0, 2.0, 4.0)) -> dict[str, Probe]:
    """What is measured in every run of a study, so that any figure can be drawn from any run.

    `sizes` are those of the landscape's steps, in multiples of the learning rate.
    """
    normed = [name for name, _ in model.named_modules() if name.endswith(".norm")]
    probes = [landscape(sizes), landscape(sizes, direction="random"), internal_shift(), activations(normed)]
    if batchnorms_of(model):
        probes.append(batchnorm_terms())
    return {probe.__name__: probe for probe in probes}


def steps_of(config: Config, probe: str) -> range | list[int]:
    """The steps at which a run of `config` writes rows of `probe`, if it does not diverge."""
    if probe == "train":
        return range(config.steps)
    if probe == "test":
        return sorted({*range(0, config.steps, config.test_every), config.steps - 1})
    measured = range(0, config.steps, config.measure_every)
    if probe == "activations":  # and one step later: how far a distribution moves from a step to the next
        return sorted({step for first in measured for step in (first, first + 1) if step < config.steps})
    return measured


def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of a batch (images, labels), as the loop computes it."""
    return F.cross_entropy(model(batch[0]), batch[1])


def build(config: Config, data: Dataset) -> nn.Module:
    """The network of a config, initialised from its seed."""
    channels = data.train_images.shape[1]
    return glorot_(VGG(PLANS[config.model], config.norm, config.width, channels, data.classes), config.seed)


def batches(config: Config, data: Dataset, device: str, start: int = 0) -> Iterator[Batch]:
    """The batches of all steps from `start` on.

    Epochs in an order drawn from the seed, the incomplete last batch of each left out: a function of seed and step.
    """
    generator = torch.Generator().manual_seed(config.seed)
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    done = 0
    while True:
        order = torch.randperm(len(labels), generator=generator)
        for chosen in order.split(config.batch_size):
            if done == config.steps:
                return
            if len(chosen) == min(config.batch_size, len(labels)):
                done += 1
                if done <= start:
                    continue
                picked = chosen.to(device)
                batch = data.normalized(images[picked])
                yield batch.to(memory_format=torch.channels_last), labels[picked]


@torch.no_grad()
def test(model: nn.Module, data: Dataset, device: str) -> dict[str, Tensor]:
    """Loss and accuracy over the whole test set, in evaluation mode."""
    model.eval()
    pairs = zip(data.test_images.split(500), data.test_labels.split(500), strict=True)
    outputs = [(model(data.normalized(images.to(device))), labels.to(device)) for images, labels in pairs]
    model.train()
    logits, labels = torch.cat([o[0] for o in outputs]), torch.cat([o[1] for o in outputs])
    return {"loss": F.cross_entropy(logits, labels), "accuracy": _accuracy(logits, labels)}


def _accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.argmax(1) == labels).double().mean()
