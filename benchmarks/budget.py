"""Whether a budget is kept: the time that `within_budget` makes a run longer, over what was asked for.

    python benchmarks/budget.py [--repeats 3]

500 steps with a recorder on a budget and 500 without, in turns of 25, each on its own copy of the network, so that a
machine which changes its speed changes both. The figure is (time measured − time plain) / time plain, by the wall
clock, which is the budget's as well; a turn of the other looks to it like a pause, and counts as one step.
"""

import argparse
import copy
import statistics
import time

import torch
from walk import cases, loss_fn

from clinometer import Recorder, headroom, landscape, within_budget
from clinometer.training.environment import environment

TURN = 25
NETWORK = "digits network, width 1/2, BatchNorm, batch 128"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    repeats, steps = arguments.repeats, arguments.steps
    torch.set_num_threads(1)
    torch.manual_seed(0)
    facts = environment()
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, {steps} steps, n = {repeats}")
    print("asked   took (median, least to most)   by its own account   measured steps")
    print(NETWORK)
    for fraction in (0.02, 0.05, 0.1):
        found = [run(*cases("cpu")[NETWORK], fraction, steps) for _ in range(repeats)]
        took, own, measured = zip(*found, strict=True)
        spread = f"{statistics.median(took):.4f} ({min(took):.4f} to {max(took):.4f})"
        print(f"{fraction:5.2f}   {spread:28s}   {statistics.median(own):.4f}               {measured[0]}")


def run(
    model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor], fraction: float, steps: int
) -> tuple[float, float, int]:
    """What the budget took, what it says it took, and how many steps were measured."""
    pair = [model, copy.deepcopy(model)]
    optimizers = [torch.optim.SGD(each.parameters(), lr=0.01, momentum=0.9) for each in pair]
    budget = within_budget(fraction)
    recorder = Recorder(pair[0], loss_fn, [landscape(), headroom()], budget, optimizer=optimizers[0])
    spent = [0.0, 0.0]
    for _ in range(steps // TURN):
        for index, (each, optimizer) in enumerate(zip(pair, optimizers, strict=True)):
            began = time.perf_counter()
            for _ in range(TURN):
                if index == 0:
                    recorder.step(batch)
                loss_fn(each, batch).backward()
                optimizer.step()
                optimizer.zero_grad()
            spent[index] += time.perf_counter() - began
    return spent[0] / spent[1] - 1, budget.overhead, budget.measured


if __name__ == "__main__":
    main()
