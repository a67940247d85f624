"""What a step of mean spectral normalization takes beside one of BatchNorm.

    python benchmarks/mean_spectral.py [--repeats 41] [--width 8] [--data digits]

In each round a step of BatchNorm and one of each variant take their turns on one batch of 64 images, each on its own
copy of the network: three convolutions on the bundled digits, or VGG7 on CIFAR-10 (CLINOMETER_DATA). Times are of the
process's CPU, on a single thread. Columns, each the geometric mean over rounds of the ratio to BatchNorm's time, with
Student's 95% interval:

    step        forward, backward and Adam
    evaluation  a forward pass in evaluation

The last row is BatchNorm beside a copy of itself: what it is away from 1 is the error of the method.
"""

import argparse

import numpy as np
import torch

from clinometer.papers.subramanian2019.configs import classifier, timing
from clinometer.papers.subramanian2019.timing import WARM, evaluated, rounds, trained, trainings
from clinometer.results.statistics import interval
from clinometer.training.environment import environment

NETWORKS = {"digits": "cnn3", "cifar10": "vgg7"}


def main() -> None:
    args = parsed()
    torch.set_num_threads(1)
    facts = environment()
    print(f"torch {facts['packages']['torch']}, {facts['processor']}, one thread, n = {args.repeats} rounds")
    base = classifier(NETWORKS[args.data], args.data, width=args.width, steps=1)
    config = timing(base, args.repeats + WARM)
    reference, others = trainings(config, "cpu")
    found = {name: rounds(reference, others, do) for name, do in (("step", trained), ("evaluation", evaluated))}
    print(f"\n{NETWORKS[args.data]}, {args.width} channels at first\n{'':38} {'step':>22} {'evaluation':>22}")
    for variant in others:
        print(f"{variant:38}", *(f"{told(each[variant]):>22}" for each in found.values()))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=41, help="rounds")
    parser.add_argument("--width", type=int, default=8, help="channels of the first convolution")
    parser.add_argument("--data", choices=NETWORKS, default="digits")
    return parser.parse_args()


def told(ratios: list[float]) -> str:
    found = interval(np.log(ratios))
    value, low, high = (np.exp(end) for end in (found.value, found.low, found.high))
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
