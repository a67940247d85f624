"""Count the forward passes that headroom takes, on five networks along what their optimizers do.

    python benchmarks/headroom.py

At every fourth step of a short training run the multiple up to which the loss stays below its start is found in three
ways, to 10%: by `critical_step` from the step itself; by `critical_step` from where the last search ended, as the probe
does it; and by doubling or halving and then bisecting. It counts passes and measures no time.
"""

import argparse
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import clinometer
from clinometer import Recorder, Step, every
from clinometer.measures.critical_step import critical_step
from clinometer.measures.first_crossing import LARGEST
from clinometer.objective.params import step as point_at
from clinometer.objective.params import sub
from clinometer.training.data.datasets import digits

PRECISION = 0.1
WIDTH, LENGTH, LETTERS = 32, 32, 128


class Gpt(nn.Module):
    """Two layers of attention on characters."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(LETTERS, WIDTH), nn.Parameter(0.02 * torch.randn(LENGTH, WIDTH))
        layers = [nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.0, batch_first=True, norm_first=True) for _ in "ab"]
        self.layers, self.norm, self.head = nn.ModuleList(layers), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LETTERS)

    def forward(self, text: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
        h = self.letters(text) + self.places
        for layer in self.layers:
            h = layer(h, mask, is_causal=True)
        return self.head(self.norm(h)).flatten(0, 1)


def perceptron(norm: bool) -> nn.Module:
    """Two hidden layers."""
    hidden = [[nn.Linear(64, 64), *([nn.BatchNorm1d(64)] if norm else []), nn.ReLU()] for _ in range(2)]
    return nn.Sequential(nn.Flatten(), *hidden[0], *hidden[1], nn.Linear(64, 10))


def convolutional() -> nn.Module:
    """Two convolutions with BatchNorm."""
    hidden = [[nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()] for i, o in ((1, 8), (8, 16))]
    return nn.Sequential(*hidden[0], *hidden[1], nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))


SGD, ADAMW = torch.optim.SGD, partial(torch.optim.AdamW, lr=1e-3)
NETWORKS: Mapping[str, tuple[Callable[[], nn.Module], Callable[..., torch.optim.Optimizer]]] = {
    "perceptron, SGD": (lambda: perceptron(norm=False), partial(SGD, lr=0.1)),
    "perceptron with BatchNorm, momentum": (lambda: perceptron(norm=True), partial(SGD, lr=0.05, momentum=0.9)),
    "perceptron, AdamW": (lambda: perceptron(norm=False), ADAMW),
    "convolutions with BatchNorm, SGD": (convolutional, partial(SGD, lr=0.1)),
    "GPT of 2 layers, AdamW": (Gpt, ADAMW),
}


def counted(step: Step) -> dict[str, float]:
    """Passes of each search, and how far the probe's result lies from that of bisection."""
    update = sub(step.after, step.before)
    search = partial(critical_step, step.objective, step.before, update, precision=PRECISION)
    search = partial(search, loss=step.loss, gradient=step.gradient)
    warm = search(start=step.memory.get("multiple", 1.0))
    if 0 < warm.multiple < math.inf:
        step.memory["multiple"] = warm.multiple
    losses: list[float] = []

    def falls(size: float) -> bool:
        losses.append(float(step.objective.loss(point_at(step.before, update, size))))
        return losses[-1] < float(step.loss)

    found = bisected(falls)
    apart = abs(math.log(warm.multiple / found)) if 0 < found < math.inf and warm.multiple > 0 else math.nan
    return {"cold": search().evaluations, "warm": warm.evaluations, "bisected": len(losses), "apart": apart}


def bisected(falls: Callable[[float], bool]) -> float:
    """Doubling or halving from 1, then bisection in the logarithm."""
    low, high = (1.0, 2.0) if falls(1.0) else (0.5, 1.0)
    while high > 1 and low < LARGEST and falls(high):
        low, high = high, 2 * high
    while high <= 1 and high > 1 / LARGEST and not falls(low):
        low, high = low / 2, low
    if low >= LARGEST or high <= 1 / LARGEST:
        return math.inf if low >= LARGEST else 0.0
    while high / low > 1 + PRECISION:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if falls(middle) else (low, middle)
    return low


def train(name: str, measured: int) -> Mapping[str, Any]:
    """The rows of a run with so many measured steps."""
    torch.manual_seed(0)
    make, optimizer_of = NETWORKS[name]
    model = make()
    optimizer = optimizer_of(model.parameters())
    recorder = Recorder(model, loss_fn, {"counted": counted}, every(4), optimizer=optimizer)
    draw = characters() if isinstance(model, Gpt) else images()
    for _ in range(4 * measured):
        with recorder.step(batch := draw()):
            loss = loss_fn(model, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return recorder.read("counted")


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def images() -> Callable[[], tuple[Tensor, Tensor]]:
    """Draws 128 digits."""
    data = digits()

    def draw() -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(data.train_labels), (128,))
        return data.normalized(data.train_images[chosen]), data.train_labels[chosen]

    return draw


def characters() -> Callable[[], tuple[Tensor, Tensor]]:
    """Draws 16 pieces of clinometer's own code."""
    files = sorted((Path(clinometer.__file__).parent / "measures").glob("*.py"))
    text = torch.tensor([min(ord(letter), LETTERS - 1) for path in files for letter in path.read_text()])

    def draw() -> tuple[Tensor, Tensor]:
        pieces = torch.stack([text[i : i + LENGTH + 1] for i in torch.randint(len(text) - LENGTH, (16,))])
        return pieces[:, :-1], pieces[:, 1:].flatten()

    return draw


def main() -> None:
    """Print a table: median and most passes of each search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=32, help="measured steps of each run")
    measured = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"forward passes to {PRECISION:.0%}, median (most), n = {measured} steps each\n")
    print("| network | from the step itself | from the last value | by doubling and bisection |\n|---|---|---|---|")
    farthest = 0.0
    for name in NETWORKS:
        rows = train(name, measured)
        told = [f"{torch.tensor(rows[way]).median():g} ({rows[way].max():g})" for way in ("cold", "warm", "bisected")]
        print(f"| {name} | {' | '.join(told)} |", flush=True)
        farthest = max(farthest, *(each for each in rows["apart"] if each == each), 0.0)
    print(f"\nresults differ by {math.expm1(farthest):.0%} at most")


if __name__ == "__main__":
    main()
