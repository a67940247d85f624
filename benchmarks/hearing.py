"""Time a training step of the autoencoder of Tóth and Parkkonen (2019) with its hearing models and with hearing off.

    python benchmarks/hearing.py

CPU time of this process, of forward pass, backward pass and Adam's step on a batch of 64 digits, on one thread: the
median over rounds in which all take turns, so that a busy machine slows them alike.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from clinometer.papers.toth2019.data import images
from clinometer.papers.toth2019.network import autoencoder
from clinometer.papers.toth2019.objective import loss

ARMS = {
    "hearing off": {"hearing": "off"},
    "MFCC": {"hearing": "mfcc"},
    "convolution": {"hearing": "convolution"},
    "MFCC and convolution, as the author's": {"hearing": "both"},
    "MFCC, without LayerNorm": {"hearing": "mfcc", "norm": "none"},
}
STEPS = 3  # of each round


def stepper(options: dict[str, str]) -> Callable[[], None]:
    """A function that trains one step."""
    torch.manual_seed(0)
    network = autoencoder(**options)  # pyright: ignore[reportArgumentType]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    batch = images()[0][0][:64]

    def step() -> None:
        loss(network(batch), batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def milliseconds(step: Callable[[], None]) -> float:
    began = time.process_time()
    for _ in range(STEPS):
        step()
    return 1000 * (time.process_time() - began) / STEPS


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    steps = {name: stepper(options) for name, options in ARMS.items()}
    for step in steps.values():
        step()  # what is made at the first call is not timed
    rounds = [{name: milliseconds(step) for name, step in steps.items()} for _ in range(repeats)]
    off = statistics.median(each["hearing off"] for each in rounds)
    print(f"{'':<40}{'ms of CPU a step':>18}{'over hearing off':>18}")
    for name in ARMS:
        middle = statistics.median(each[name] for each in rounds)
        print(f"{name:<40}{middle:>18.1f}{middle / off:>18.2f}")
    print(f"n = {repeats} rounds of {STEPS} steps; torch {torch.__version__}, one thread")


if __name__ == "__main__":
    main()
