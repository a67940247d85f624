"""Tries the learning rates of an arm with a seed of pilots, and says which is the best.

`python -m clinometer.papers.subramanian2019.tuning classifier --scale laptop` prints the table that `RATES` was taken
from. A classifier's best rate is that of the lowest mean training loss over the last 20 steps: no test image is looked
at. A GAN's is that of the lowest Fréchet distance over the last third of its comparisons.
"""

import argparse
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clinometer.papers.subramanian2019.configs import ARMS
from clinometer.papers.subramanian2019.definition import SCALES
from clinometer.papers.subramanian2019.drift import late
from clinometer.papers.subramanian2019.rates import GRIDS
from clinometer.papers.subramanian2019.rows import SAMPLES
from clinometer.papers.subramanian2019.variants import GANS
from clinometer.results.run_table import RunTable
from clinometer.training.config import RunConfig
from clinometer.training.from_config import Data, build_training, data_of
from clinometer.training.run import run
from clinometer.training.run_folder import run_folder

LAST = 20  # steps whose mean loss counts
Score = Callable[[RunConfig], float]  # lower is better; infinite where training diverged


def scores_of(arm: RunConfig, score: Score, grid: Sequence[float], seeds: Sequence[int]) -> dict[float, float]:
    """The mean score over seeds of an arm at each rate."""
    return {lr: float(np.mean([score(arm.vary(lr=lr, seed=seed)) for seed in seeds])) for lr in grid}


def best(scores: Mapping[float, float]) -> float:
    """The rate with the lowest score.

    Example:
        >>> best({0.001: 1.0, 0.01: 0.5, 0.1: math.inf})
        0.01
    """
    return min(scores, key=lambda lr: scores[lr])


def final_loss(config: RunConfig, data: Data) -> float:
    """The mean training loss over the last steps of a classifier."""
    training = build_training(config, data=data)
    losses: list[float] = []
    for batch in training.batches(0):
        loss = training.loss_fn(training.model, batch)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            return math.inf
        loss.backward()
        training.optimizer.step()
        training.optimizer.zero_grad()
    return float(np.mean(losses[-LAST:]))


def final_distance(config: RunConfig) -> float:
    """The Fréchet distance of a GAN over the last third of its comparisons."""
    with TemporaryDirectory() as folder:
        config = config.vary(probes=())
        run(config, run_folder(Path(folder), config))
        found = float(late(RunTable.read(Path(folder), [config]).values(config, SAMPLES, "frechet"))[0])
    return math.inf if math.isnan(found) else found


def main() -> None:
    """Print the table of one base."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", choices=GRIDS)
    parser.add_argument("--scale", default="laptop", choices=SCALES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    base = SCALES[given.scale].bases[given.base]
    data = data_of(base)
    score: Score = functools.partial(final_loss, data=data) if given.base == "classifier" else final_distance
    for name in GANS if given.base == "gan" else ARMS:
        found = scores_of(base.vary(**ARMS[name]), score, GRIDS[given.base], given.seeds)
        print(name, *(f"{lr:g}: {each:.4g}" for lr, each in found.items()), f"best: {best(found):g}", flush=True)


if __name__ == "__main__":
    main()
