"""What each row of NORMS costs beside torch's fused BatchNorm: forward and backward, on one thread.

    python benchmarks/norms.py [--repeats 31] [--only WORDS]

The input has 32 samples, 64 channels and 16×16 pixels, float32. A norm on a layer's output is timed alone, against
BatchNorm2d; one on the weight is timed with its layer, a 3×3 convolution of 64 to 64 channels, against that layer and
BatchNorm2d. The two take turns, and a ratio is of one turn; times are the process's CPU time, which other programs on
the machine change less than they do the clock, but do change. filter_response holds the activation that would follow,
so BatchNorm has a ReLU there. `ours` marks rows that torch has no layer for. The last line is no norm: it is what the
paper's noise draws for each element, a uniform and a normal number by torch's own functions, and nothing else. Noise
that is drawn by them cannot cost less, nor noisy BatchNorm less than 1 more.
"""

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from clinometer import NORMS
from clinometer.nn.norms import apply_norm
from clinometer.nn.norms.on_weights import OnWeights
from clinometer.training.environment import environment

SHAPE = (32, 64, 16, 16)
OF_TORCH = ("none", "batch", "layer", "group", "instance", "weight", "spectral")
WITH_ACTIVATION = ("filter_response",)
OPTIONS = {"ghost_batch": {"ghost": 8}}  # four ghosts
PASSES = 4  # in a turn
DRAWS = "the draws of noise alone"


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """A norm and its BatchNorm, each with what else it takes to compare them."""
    units = SHAPE[1]
    norm = NORMS[name](units, 2, **OPTIONS.get(name, {}))
    if isinstance(norm, OnWeights):
        one, other = (apply_norm(nn.Conv2d(units, units, 3, padding=1), row) for row in (name, "batch"))
        return one, other
    fused = nn.BatchNorm2d(units)
    return norm, nn.Sequential(fused, nn.ReLU()) if name in WITH_ACTIVATION else fused


def ratios(name: str, repeats: int) -> list[float]:
    """Of the time of a norm to that of BatchNorm, turn by turn."""
    torch.manual_seed(0)
    images, gradient = torch.randn(SHAPE), torch.randn(SHAPE)
    if name == DRAWS:
        passes = [lambda: draw(images), both_ways(nn.BatchNorm2d(SHAPE[1]), images, gradient)]
    else:
        passes = [both_ways(module, images, gradient) for module in pair(name)]
    turns = [turn(one) for one in passes]
    for each in turns * 2:
        each()
    return [turns[0]() / turns[1]() for _ in range(repeats)]


def both_ways(module: nn.Module, images: Tensor, gradient: Tensor) -> Callable[[], None]:
    def one_pass() -> None:
        inputs = images.detach().requires_grad_()
        module(inputs).backward(gradient)

    return one_pass


def draw(images: Tensor) -> None:
    torch.empty_like(images).uniform_(-0.1, 0.1)
    torch.empty_like(images).normal_(0.0, 0.1)


def turn(one_pass: Callable[[], None]) -> Callable[[], float]:
    def seconds() -> float:
        began = time.process_time()
        for _ in range(PASSES):
            one_pass()
        return time.process_time() - began

    return seconds


def keep_memory() -> None:
    """Ask the C library to keep freed memory, as it does in a training that holds a network's activations.

    Without, each pass of a single layer takes its memory from the system anew, and that is what would be timed.
    """
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    trim, mmap = -1, -3
    for option in (trim, mmap):
        libc.mallopt(option, 2**30)


def line(name: str, repeats: int) -> str:
    found = ratios(name, repeats)
    middle = statistics.quantiles(found, n=4) if len(found) > 1 else [found[0]] * 3
    owner = "" if name in (*OF_TORCH, DRAWS) else "ours"
    return f"{middle[1]:8.2f}{f'{middle[0]:.2f} to {middle[2]:.2f}':>18}{owner:>6}  {name}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--only", default="", help="lines whose name has these words in it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    facts = environment()
    print(
        f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, n = {options.repeats} turns of {PASSES}"
    )
    print(f"{'ratio':>8}{'quartiles':>18}")
    for name in (*NORMS, DRAWS):
        if options.only in name:
            print(line(name, options.repeats), flush=True)


if __name__ == "__main__":
    main()
