"""Choose a learning rate by headroom, and hold it against a sweep.

    python examples/learning_rate.py [perceptron | vgg] [none | batch]

Raises the rate by a fifth per step until steps overshoot, the gradient turning by 90° on the way, and chooses the least
rate times headroom that was met, as a median of 5 steps: that rate would just not have overshot. Then prints the mean
loss over 150 steps from a new start, by the chosen rate (>) and by fixed ones: means over 3 seeds.
"""

import sys
from collections.abc import Iterator
from functools import partial
from statistics import mean, median

import torch
from torch import nn
from torch.nn import functional as F

from clinometer import NORMS, Recorder, at, every, headroom
from clinometer.nn import vgg, vgg_plans
from clinometer.training.data.datasets import digits

OPTIMIZERS = {"SGD": torch.optim.SGD, "momentum": partial(torch.optim.SGD, momentum=0.9), "AdamW": torch.optim.AdamW}
DATA, KIND, NORM = digits(), *(sys.argv[1:] or ("perceptron", "none"))


def run(name: str, lr: float, growth: float, seed: int) -> Iterator[tuple[float, float, Recorder]]:
    torch.manual_seed(seed)
    layers = [(nn.Linear(64, 64), NORMS[NORM](64, 0), nn.ReLU()) for _ in range(2)]
    perceptron = nn.Sequential(nn.Flatten(), *layers[0], *layers[1], nn.Linear(64, 10))
    model = perceptron if KIND == "perceptron" else vgg.VGG(vgg_plans.PLANS["vgg_digits"], NORM, 1 / 4, 1)
    loss_fn, when = lambda m, batch: F.cross_entropy(m(batch[0]), batch[1]), every(1) if growth > 1 else at()
    optimizer = OPTIMIZERS[name](model.parameters(), lr=lr)
    recorder = Recorder(model, loss_fn, [headroom(precision=0.3, angle=True)], when, optimizer=optimizer)
    for _ in range(150):
        chosen = torch.randint(len(DATA.train_labels), (128,))
        with recorder.step(batch := (DATA.normalized(DATA.train_images[chosen]), DATA.train_labels[chosen])):
            loss = loss_fn(model, batch)
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        yield lr, loss.item(), recorder
        lr = optimizer.param_groups[0]["lr"] = lr * growth


def choose(name: str, seed: int) -> float:
    steps, found, angles = run(name, 1e-5, 1.2, seed), [], []
    while len(found) < 5 or median(angles[-5:]) >= 1:
        lr, _, recorder = next(steps)
        angles = recorder.read("headroom")["angle"]
        found.append(lr * angles[-1])
    return min(median(found[i : i + 5]) for i in range(len(found) - 4))


if __name__ == "__main__":
    for name in OPTIMIZERS:
        print(f"{name:>9}      lr      loss")
        picked = [choose(name, seed) for seed in range(3)]
        for lrs in sorted([*([lr] * 3 for lr in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)), picked], key=median):
            losses = [loss for i, lr in enumerate(lrs) for _, loss, _ in run(name, lr, 1.0, 100 + i)]
            print(f"{'>' if lrs is picked else '':>9}  {median(lrs):6.4f}  {mean(losses):8.3f}")
