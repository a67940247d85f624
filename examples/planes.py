"""Draw the landscape between three networks that learned digits, and along the sharpest directions of one of them.

    python examples/planes.py [FOLDER]

Between networks of different seeds the loss rises to ten times their own; within a distance of 2 to ninety times along
two eigenvectors of the Hessian, and to twice in random directions. Pictures and losses go to FOLDER.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from clinometer import Objective
from clinometer.measures.barrier import barrier
from clinometer.measures.directions import random_directions
from clinometer.measures.eigenpairs import top_eigenpairs
from clinometer.measures.plane import evenly
from clinometer.measures.plane_axes import solutions_axes
from clinometer.measures.refined_plane import refined_plane
from clinometer.objective.params import norm, scale
from clinometer.plots.matplotlib import save
from clinometer.plots.plane import plane_figure
from clinometer.studies.figure import Figure
from clinometer.training.data.datasets import digits

FOLDER, DATA = Path(*sys.argv[1:2]), digits()
IMAGES, LABELS = DATA.normalized(DATA.train_images).flatten(1), DATA.train_labels


def loss_fn(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def trained(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for rows in torch.randint(len(IMAGES), (200, 100)):
        loss_fn(model, (IMAGES[rows], LABELS[rows])).backward()
        optimizer.step(), optimizer.zero_grad()
    return model


objective, second, third = (Objective(trained(seed), loss_fn, (IMAGES, LABELS)) for seed in range(3))
a, b, c = objective.here(), second.here(), third.here()
print("between two seeds:", [round(loss, 3) for loss in barrier(objective, a, b, points=5).losses.tolist()])
axes = solutions_axes(a, b, c)
found = refined_plane(objective, a, axes.one, axes.two, *axes.sizes(65), to=FOLDER / "solutions.sqlite")
save(plane_figure(found, axes, names=("seed 0", "seed 1", "seed 2"), title="Three networks"), FOLDER / "solutions")
panels, sharp = [], top_eigenpairs(objective, a, k=2).vectors
for name, ways in {"sharpest": sharp, "random": [scale(d, 1 / norm(d)) for d in random_directions(a)]}.items():
    found = refined_plane(objective, a, *ways, evenly(-2.0, 2.0, 65), to=FOLDER / f"{name}.sqlite")
    figure = plane_figure(found, labels=(f"distance along {name} direction 1", f"{name} direction 2"))
    panels.append(replace(figure.panels[0], title=f"two {name} directions"))
    print(f"{name}: up to {float(found.losses.max()):.2f}, {int(found.evaluated.sum())} of 4225 losses evaluated")
save(Figure("One network", "", tuple(panels), columns=2), FOLDER / "directions")
