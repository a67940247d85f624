"""What a walk costs over its limit: s + 1 bare forward-backward passes for s sizes.

    python benchmarks/walk.py [--repeats 7] [--device cpu]

Bare passes and walks alternate within one process, so a machine that changes its speed changes both; the figure is
the median over repeats of (time of a walk of 10 sizes) / (time of 11 bare passes). The bare pass is what a training
step does: forward, backward, gradients set to None.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Objective, walk
from clinometer.nn.vgg import VGG
from clinometer.nn.vgg_plans import PLANS
from clinometer.objective.params import scale
from clinometer.training.environment import environment

SIZES = [0.01 * k for k in range(1, 11)]
Case = tuple[nn.Module, tuple[Tensor, Tensor]]


def cases(device: str) -> dict[str, Case]:
    def images(n: int, channels: int, side: int) -> tuple[Tensor, Tensor]:
        return torch.randn(n, channels, side, side, device=device), torch.randint(10, (n,), device=device)

    def vgg(plan: str, width: float, channels: int) -> nn.Module:
        return VGG(PLANS[plan], "batch", width, channels).to(device)

    mlp = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10)).to(device)
    return {
        "VGG-11, width 1/4, BatchNorm, batch 128": (vgg("vgg11", 1 / 4, 3), images(128, 3, 32)),
        "VGG-16, width 1/8, BatchNorm, batch 128": (vgg("vgg16", 1 / 8, 3), images(128, 3, 32)),
        "digits network, width 1/2, BatchNorm, batch 128": (vgg("vgg_digits", 1 / 2, 1), images(128, 1, 8)),
        "perceptron 64-64-10, BatchNorm, batch 128": (mlp, images(128, 1, 8)),
    }


def loss_fn(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def ratio(case: Case, repeats: int) -> tuple[float, float, float]:
    """Milliseconds of a bare pass, and median and worst of the ratio."""
    model, batch = case
    objective = Objective(model, loss_fn, batch)
    here = objective.here()
    down = scale(objective.loss_and_grad(here)[1], -1.0)

    def bare() -> None:
        for _ in range(len(SIZES) + 1):
            loss_fn(model, batch).backward()
            model.zero_grad()

    def walked() -> None:
        walk(objective, here, down, SIZES)

    bare(), walked()
    pairs = [(seconds(bare), seconds(walked)) for _ in range(repeats)]
    ratios = [after / before for before, after in pairs]
    return 1000 * statistics.median(b for b, _ in pairs) / (len(SIZES) + 1), statistics.median(ratios), max(ratios)


def seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    facts = environment(options.device)
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, {facts['device']}, one thread")
    print(f"walk of {len(SIZES)} sizes over {len(SIZES) + 1} bare passes; n = {options.repeats} pairs")
    for name, case in cases(options.device).items():
        bare, median, worst = ratio(case, options.repeats)
        print(f"{median:5.3f} median  {worst:5.3f} worst   bare pass {bare:7.2f} ms   {name}", flush=True)


if __name__ == "__main__":
    main()
