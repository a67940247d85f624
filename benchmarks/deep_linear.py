"""What the exact statistics save: a step of the plain deep linear network over one of stacked seeds, per seed.

    python benchmarks/deep_linear.py [--repeats 7] [--seeds 5]

25 layers of 10 units, 1,000 samples, float64; a step is loss and gradient. Both ways alternate within one process; the
figure is the median over repeats of (time of a plain step) / (time of a stacked step / seeds).
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from clinometer.nn.vgg import glorot_
from clinometer.papers.santurkar2018.networks import linear_statistics as exact
from clinometer.papers.santurkar2018.networks.deep_linear import DeepLinear, squared_error
from clinometer.papers.santurkar2018.networks.gaussian import gaussian
from clinometer.training.environment import environment


def ways(norm: str, seeds: int) -> tuple[Callable[[], object], Callable[[], object]]:
    model, *_ = models = [glorot_(DeepLinear(norm), seed) for seed in range(seeds)]
    sample, *_ = samples = [gaussian(seed) for seed in range(seeds)]
    data = exact.stacked([exact.statistics(each.inputs, each.matrix) for each in samples])
    own = dict(model.named_parameters())
    point = {n: torch.stack([m.get_parameter(n).detach() for m in models]).requires_grad_() for n in own}
    return (
        lambda: torch.autograd.grad(squared_error(model(sample.inputs), sample.targets), list(own.values())),
        lambda: torch.autograd.grad(exact.losses(point, data, norm).sum(), list(point.values())),
    )


def milliseconds(step: Callable[[], object], times: int = 20) -> float:
    began = time.perf_counter()
    for _ in range(times):
        step()
    return 1000 * (time.perf_counter() - began) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    facts = environment()
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, one thread; n = {options.repeats} pairs")
    for norm in exact.EXACT:
        plain, together = ways(norm, options.seeds)
        plain(), together()
        pairs = [(milliseconds(plain), milliseconds(together) / options.seeds) for _ in range(options.repeats)]
        ratio = statistics.median(before / after for before, after in pairs)
        before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"{ratio:5.1f} median   plain {before:6.2f} ms   stacked {after:5.2f} ms per seed   {norm}", flush=True)


if __name__ == "__main__":
    main()
