"""Count how often two pieces of advice of docs/symptoms are right, on 24 configurations of small networks.

    python benchmarks/advice.py [--repeats 1] [--to results/advice.json]

**Does my batch pay**: a network is trained by batches of 8 to 512, each at the best of four rates, until its loss is
0.2. Where the noise scale of a run lies below a third of its batch, the advice is a smaller batch, and it is right if a
quarter of the batch takes at most two thirds of the samples; where it lies above three times the batch, the advice is a
larger batch, right if four times the batch takes at most two thirds of the steps.

**My loss does not fall**: headroom above 30 says that the rate is too low: is it so in runs a hundred times below the
best of four rates, and not at the best? And after the rate was raised by a tenth a step until the median of three
headrooms was below 6, does the loss fall in 200 more steps to where the best of the four brings it in 100?
"""

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom, noise_scale
from clinometer.measures.noise_scale import noise_scale_of
from clinometer.training.data.datasets import digits

DATA = digits()
INPUTS, LABELS = DATA.normalized(DATA.train_images).flatten(1), DATA.train_labels
BATCHES = (8, 16, 32, 64, 128, 256, 512)
TARGET, MOST = 0.2, 400
OPTIMIZERS: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "SGD": (torch.optim.SGD, (0.03, 0.1, 0.3, 1.0)),
    "momentum": (lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9), (0.003, 0.01, 0.03, 0.1)),
    "AdamW": (torch.optim.AdamW, (0.001, 0.003, 0.01, 0.03)),
}


@dataclass(frozen=True)
class Configuration:
    """A network and an optimizer."""

    width: int
    depth: int
    norm: bool
    optimizer: str

    def model(self) -> nn.Module:
        """A perceptron."""
        layers: list[nn.Module] = []
        for size in [64] + [self.width] * (self.depth - 1):
            layers += [nn.Linear(size, self.width), *[nn.LayerNorm(self.width)] * self.norm, nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(self.width, 10))


CONFIGURATIONS = [Configuration(*each) for each in itertools.product((32, 96), (1, 3), (False, True), OPTIMIZERS)]


def loss_fn(model: nn.Module, batch: Any) -> torch.Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


class Run:
    """One training, and its recorder if it has probes."""

    def __init__(self, configuration: Configuration, lr: float, seed: int, probe: Any = None, often: int = 1) -> None:
        torch.manual_seed(seed)
        self.model = configuration.model()
        self.optimizer = OPTIMIZERS[configuration.optimizer][0](self.model.parameters(), lr)
        when = every(often)
        self.recorder = Recorder(self.model, loss_fn, [probe], when, optimizer=self.optimizer) if probe else None

    def losses(self, batch: int) -> Iterator[float]:
        """Train without end; the loss on all data after each step."""
        while True:
            chosen = torch.randint(len(LABELS), (batch,))
            drawn = INPUTS[chosen], LABELS[chosen]
            if self.recorder:
                self.recorder.step(drawn)
            self.optimizer.zero_grad(), loss_fn(self.model, drawn).backward(), self.optimizer.step()
            with torch.no_grad():
                yield loss_fn(self.model, (INPUTS, LABELS)).item()


def steps_to_target(run: Run, batch: int, most: float = MOST) -> float:
    """How many steps it takes, or infinity."""
    taken = (step for step, loss in enumerate(run.losses(batch), 1) if loss <= TARGET or step >= most)
    steps = next(taken)
    return steps if steps < most else math.inf


def best_of_rates(configuration: Configuration, batch: int, seed: int) -> tuple[float, float]:
    """The fewest steps, and the rate that takes them."""
    best = (math.inf, math.nan)
    for lr in OPTIMIZERS[configuration.optimizer][1]:
        steps = steps_to_target(Run(configuration, lr, seed), batch, min(MOST, best[0]))
        best = min(best, (steps, lr))
    return best


def batch_advice(configuration: Configuration, repeats: int) -> list[tuple[str, bool]]:
    """For each batch: what its noise scale advises, and whether that is right; where it advises nothing, nothing."""
    fewest: dict[int, float] = {}
    noise: dict[int, float] = {}
    for batch in BATCHES:
        found = [best_of_rates(configuration, batch, seed) for seed in range(repeats)]
        fewest[batch] = median(steps for steps, _ in found)
        if math.isfinite(found[0][0]):
            run = Run(configuration, found[0][1], 0, noise_scale(), 2)
            steps_to_target(run, batch)
            noise[batch] = noise_scale_of(run.recorder.read("noise_scale")).value
    advice: list[tuple[str, bool]] = []
    for batch, scale in noise.items():
        if scale < batch / 3 and batch // 4 in fewest:
            advice.append(("smaller", fewest[batch // 4] / 4 <= fewest[batch] * 2 / 3))
        if scale > batch * 3 and 4 * batch in fewest:
            advice.append(("larger", fewest[4 * batch] <= fewest[batch] * 2 / 3))
    return advice


def rate_advice(configuration: Configuration, seed: int) -> dict[str, bool]:
    """Whether headroom tells a rate that is too low from the best one, and whether raising it cures."""
    rates = OPTIMIZERS[configuration.optimizer][1]
    reached = {lr: list(itertools.islice(Run(configuration, lr, seed).losses(128), 100))[-1] for lr in rates}
    best = min(reached, key=lambda lr: reached[lr] if math.isfinite(reached[lr]) else math.inf)
    healthy = Run(configuration, best, seed, headroom(), 5)
    list(itertools.islice(healthy.losses(128), 100))
    sick = Run(configuration, best / 100, seed, headroom(), 5)
    group, losses = sick.optimizer.param_groups[0], sick.losses(128)
    list(itertools.islice(losses, 100))
    low = median(room(sick)[-10:]) > 30
    for _ in range(150):
        next(losses)
        if median(room(sick)[-3:]) < 6:
            break
        group["lr"] *= 1.1
    after = list(itertools.islice(losses, 200))
    cured = min(after) <= reached[best] and math.isfinite(after[-1])
    return {"told": low, "false": median(room(healthy)[-10:]) > 30, "cured": cured}


def room(run: Run) -> list[float]:
    return run.recorder.read("headroom")["loss"].tolist()


def counted(answers: list[bool]) -> dict[str, int]:
    return {"right": sum(answers), "of": len(answers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1, help="seeds of each configuration")
    parser.add_argument("--configurations", type=int, default=len(CONFIGURATIONS), help="how many of them")
    parser.add_argument("--to", type=Path, help="where to keep the counts as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = CONFIGURATIONS[: options.configurations]
    batches: list[tuple[str, bool]] = []
    rates: list[dict[str, bool]] = []
    for number, configuration in enumerate(chosen, 1):
        batches += batch_advice(configuration, options.repeats)
        rates += [rate_advice(configuration, seed) for seed in range(options.repeats)]
        print(f"{number} of {len(chosen)}", file=sys.stderr, flush=True)
    found = {
        **{
            f"batch_{kind}": counted([right for said, right in batches if said == kind])
            for kind in ("smaller", "larger")
        },
        "rate_told": counted([each["told"] for each in rates]),
        "rate_not_told_when_healthy": counted([not each["false"] for each in rates]),
        "rate_cured": counted([each["cured"] for each in rates]),
    }
    about = f"{len(chosen)} configurations, n = {options.repeats} seeds, torch {torch.__version__}"
    print(about)
    for name, counts in found.items():
        print(f"{name:28s} {counts['right']} of {counts['of']}")
    if options.to:
        options.to.write_text(json.dumps({"about": about, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
