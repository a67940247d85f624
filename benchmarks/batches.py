"""How much less a quantity varies when it is measured on several batches together.

    python benchmarks/batches.py [--repeats 5]

A perceptron with BatchNorm learns the bundled digits for 100 steps of SGD on batches of 64. Then its weights stay, and
β, the loss and the curvature dᵀHd/‖d‖² along one direction, the gradient on 512 other samples, are measured on 24 draws
of 1, 4 and 16 batches of 64. The figure is the standard deviation over the draws, relative to their mean; the mean over
seeds, and its range.
"""

import argparse
import statistics

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Batches, Objective, effective_smoothness, walk
from clinometer.objective.params import dot, scale
from clinometer.training.data.datasets import digits

SIZES, DRAWS, BATCH = (1, 4, 16), 24, 64


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def spreads(seed: int) -> dict[int, dict[str, float]]:
    """The relative standard deviation of each quantity, by the number of batches."""
    torch.manual_seed(seed)
    data = digits()
    inputs, targets = data.normalized(data.train_images), data.train_labels
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(targets), (count,))
        return inputs[chosen], targets[chosen]

    for _ in range(100):
        optimizer.zero_grad()
        loss_fn(model, drawn(BATCH)).backward()
        optimizer.step()
    direction = Objective(model, loss_fn, drawn(512))
    here = direction.here()
    down = scale(direction.loss_and_grad(here)[1], -1.0)
    found: dict[int, dict[str, float]] = {}
    for size in SIZES:
        rows: dict[str, list[float]] = {"loss": [], "β": [], "curvature": []}
        for _ in range(DRAWS):
            objective = Objective(model, loss_fn, Batches([drawn(BATCH) for _ in range(size)]))
            line = walk(objective, here, down, [0.1])
            rows["loss"].append(float(line.loss))
            rows["β"].append(effective_smoothness(line))
            rows["curvature"].append(float(dot(down, objective.hvp(here, down)) / dot(down, down)))
        found[size] = {name: statistics.stdev(values) / statistics.mean(values) for name, values in rows.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="seeds")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    seeds = [spreads(seed) for seed in range(repeats)]
    print(f"relative standard deviation over {DRAWS} draws: mean (least to most) over n = {repeats} seeds")
    for name in seeds[0][1]:
        cells = [[each[size][name] for each in seeds] for size in SIZES]
        shown = "  ".join(f"{statistics.mean(c):5.1%} ({min(c):.1%} to {max(c):.1%})" for c in cells)
        print(f"{name:10} {shown}   on {', '.join(map(str, SIZES))} batches", flush=True)


if __name__ == "__main__":
    main()
