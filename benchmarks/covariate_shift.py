"""What the covariate shift of all layers costs over the naive way: a forward-backward pass for each layer.

    python benchmarks/covariate_shift.py [--repeats 5]

The naive way is the definition written out: for each layer after the first the parameters before it are those after the
step, and `loss.backward()` computes all gradients, of which one is compared. Both ways are given the gradient where the
step starts. They alternate within one process, on one thread; time is the process's CPU time, and the figure is the
median of the ratios.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from clinometer import Objective, covariate_shift, layers_of
from clinometer.nn.vgg import VGG
from clinometer.nn.vgg_plans import PLANS
from clinometer.objective.params import distance, step
from clinometer.training.environment import environment

Batch = tuple[Tensor, Tensor]


def loss_fn(model: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def cases() -> dict[str, tuple[nn.Module, Batch]]:
    def perceptron(depth: int) -> nn.Module:
        layers = [each for _ in range(depth) for each in (nn.Linear(256, 256), nn.BatchNorm1d(256), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(256, 10))

    labels = torch.randint(10, (128,))
    return {
        "VGG-11, width 1/4, BatchNorm, batch 128": (
            VGG(PLANS["vgg11"], "batch", 1 / 4, 3),
            (torch.randn(128, 3, 32, 32), labels),
        ),
        "perceptron of 11 layers, width 256, BatchNorm, batch 128": (perceptron(10), (torch.randn(128, 256), labels)),
    }


def ratio(model: nn.Module, batch: Batch, repeats: int) -> tuple[int, float, float, float]:
    """How many layers, the units of both ways (in bare forward-backward passes), and their ratio."""
    objective = Objective(model, loss_fn, batch)
    layers = layers_of(model)
    before = objective.here()
    start = objective.loss_and_grad(before)
    after = step(before, start[1], -0.1)
    buffers = dict(model.named_buffers())

    def bare() -> None:
        loss_fn(model, batch).backward()
        model.zero_grad()

    def naive() -> list[Tensor]:
        at, gaps = dict(before), list[Tensor]()
        for names in layers.values():
            leaves = {name: value.clone().requires_grad_() for name, value in at.items()}
            state = leaves | {name: buffer.clone() for name, buffer in buffers.items()}
            if gaps:
                F.cross_entropy(functional_call(model, state, (batch[0],)), batch[1]).backward()
                gaps.append(distance({"": start[1][names[0]]}, {"": leaves[names[0]].grad}))
            else:
                gaps.append(torch.zeros(()))
            at |= {name: after[name] for name in names}
        return gaps

    def ours() -> list[Tensor]:
        return list(covariate_shift(objective, before, after, layers, start=start).l2)

    bare()
    torch.testing.assert_close(ours(), naive(), rtol=1e-4, atol=1e-6)
    times = [(seconds(bare), seconds(naive), seconds(ours)) for _ in range(repeats)]
    units = [statistics.median(each[way] / each[0] for each in times) for way in (1, 2)]
    return len(layers), units[0], units[1], statistics.median(ours / naive for _, naive, ours in times)


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    torch.manual_seed(0)
    facts = environment("cpu")
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, CPU time; n = {repeats}")
    for name, (model, batch) in cases().items():
        count, naive, ours, share = ratio(model, batch, repeats)
        print(f"{share:5.3f}   ours {ours:5.2f}, naive {naive:5.2f} passes for {count} layers   {name}", flush=True)


if __name__ == "__main__":
    main()
