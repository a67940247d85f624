"""Draw where the eigenvalues of a network's Hessian are, as it trains and as it is evaluated.

    python examples/spectral_density.py

A perceptron with BatchNorm learns to read digits. Its Hessian on one batch is then measured twice at the same weights:
in train mode, where BatchNorm normalises by the batch, and in eval mode. They are two functions, and training descends
the first. The picture is written to `density.svg` and `density.png`.
"""

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective
from clinometer.measures.spectral_density import Density, spectral_density
from clinometer.plots.density import density_figure
from clinometer.plots.matplotlib import save
from clinometer.training.data.datasets import digits


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def trained() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    """A network after 40 steps, and a batch."""
    torch.manual_seed(0)
    data = digits()
    images, labels = data.normalized(data.train_images), data.train_labels
    hidden = [(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()) for a, b in pairwise([64] * 5)]
    model = nn.Sequential(nn.Flatten(), *(layer for layers in hidden for layer in layers), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(40):
        chosen = torch.randint(len(labels), (128,))
        loss_fn(model, (images[chosen], labels[chosen])).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model, (images[:128], labels[:128])


if __name__ == "__main__":
    model, batch = trained()
    found: dict[str, Density] = {}
    for mode in ("train", "eval"):
        objective = Objective(model.train(mode == "train"), loss_fn, batch)
        found[f"{mode} mode"] = density = spectral_density(objective, objective.here(), probes=4, steps=60)
        mean, largest = density.moment(1), float(density.top()[0])
        trace = f"{mean.value * mean.n:.1f} ± {mean.error * mean.n:.1f}"
        print(f"{mode:5} mode: largest eigenvalue {largest:.2f}, trace {trace}")
    save(density_figure(found, linear_within=0.05), Path("density"))
