"""The networks in training at which `curvature.py` measures, and their loss."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Point
from clinometer.nn.vgg import VGG
from clinometer.nn.vgg_plans import PLANS
from clinometer.objective.params import sub
from clinometer.training.data.datasets import cifar10, digits

Batch = tuple[Tensor, Tensor]
CRITERION = nn.CrossEntropyLoss()
BATCH = 128  # samples


@dataclass(frozen=True)
class Case:
    """A network in training, and the modes in which its curvature is measured."""

    name: str
    model: nn.Module
    batches: Iterator[Batch]
    optimizer: torch.optim.Optimizer
    modes: tuple[bool, ...] = (False,)  # train mode or evaluation mode

    def train(self, steps: int) -> tuple[Batch, Point, Point]:
        """Train; the batch of the last step, where that began, and what it did."""
        batch, before = next(self.batches), self.here()
        for batch in itertools.islice(self.batches, steps):
            before = self.here()
            self.optimizer.zero_grad()
            loss_fn(self.model, batch).backward()
            self.optimizer.step()
        return batch, before, sub(self.here(), before)

    def here(self) -> Point:
        return {name: p.detach().clone() for name, p in self.model.named_parameters()}


def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
    return CRITERION(model(batch[0]), batch[1])


def vgg(data: str | None) -> Case:
    torch.manual_seed(0)
    model = VGG(PLANS["vgg11"], "batch", width=1 / 4)
    model.head = nn.Sequential(nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))  # pyright: ignore[reportAttributeAccessIssue]
    source = cifar10(data) if data else digits()
    images = source.normalized(source.train_images[:6_400])
    images = images if data else F.interpolate(images.repeat(1, 3, 1, 1), scale_factor=4)
    name = f"VGG-11 at quarter width, BatchNorm, {source.name}"
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    return Case(name, model, samples(images, source.train_labels[:6_400]), optimizer, (False, True))


def perceptron(_data: str | None) -> Case:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, 10)
    )
    source = digits()
    images = source.normalized(source.train_images)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return Case("perceptron 64-128-128-10, tanh, digits", model, samples(images, source.train_labels), optimizer)


class Gpt(nn.Module):
    """Two blocks of causal attention by torch's fused kernel; the outputs are (batch, letters, places)."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(128, 64), nn.Embedding(32, 64)
        self.attend = nn.ModuleList(nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 192)) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(64, 64) for _ in range(2))
        self.think = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64)) for _ in range(2)
        )
        self.head = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 128))

    def forward(self, text: Tensor) -> Tensor:
        h = self.letters(text) + self.places.weight
        for attend, out, think in zip(self.attend, self.out, self.think, strict=True):
            q, k, v = attend(h).unflatten(-1, (3, 4, 16)).permute(2, 0, 3, 1, 4)
            h = h + out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(-2))
            h = h + think(h)
        return self.head(h).transpose(1, 2)


def gpt(_data: str | None) -> Case:
    torch.manual_seed(0)
    text = torch.tensor(list((Path(__file__).parents[1] / "LICENSE").read_bytes()))
    model = Gpt()
    generator = torch.Generator().manual_seed(0)

    def pieces() -> Iterator[Batch]:
        while True:
            places = torch.randint(len(text) - 32, (BATCH, 1), generator=generator) + torch.arange(33)
            yield text[places][:, :-1], text[places][:, 1:]

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return Case("GPT, 2 layers, 32 letters", model, pieces(), optimizer)


CASES: tuple[Callable[[str | None], Case], ...] = (vgg, gpt, perceptron)


def samples(images: Tensor, labels: Tensor) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(0)
    while True:
        for chosen in torch.randperm(len(images), generator=generator).split(BATCH):
            if len(chosen) == BATCH:
                yield images[chosen], labels[chosen]
