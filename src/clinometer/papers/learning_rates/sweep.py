"""The trainer of a sweep: one network at the rates of a grid, three seeds each, in one process."""

from collections.abc import Mapping

import numpy as np

from clinometer.analysis.stable_rate import Trial, best_of, columns, rate, trial
from clinometer.papers.learning_rates.explore import explore
from clinometer.papers.learning_rates.grid import grid_of
from clinometer.papers.learning_rates.rows import SWEEP
from clinometer.papers.learning_rates.training import seeds_of, write
from clinometer.training.config import RunConfig
from clinometer.training.curve import Curve, curve, samples
from clinometer.training.keeper import Keeper
from clinometer.training.parts import Samples

_OTHER = 10_000  # more than the seeds of any trial


def train(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train the network of each config at the rates that its sweep needs.

    Rows: `train`, loss and accuracy of the best rate's first seed at each step; and one of `sweep`, with a value per
    rate: `half_octaves` (rates,) of the rate 2^(k/2), `lr` (rates,), and `initial`, `final` and `accuracy` (rates,
    seeds). Its `again` (seeds,) are final losses of the best of the sweep's 7 rates with other seeds: how far a second
    draw of the best is from the first.
    """
    for config, keeper in runs.items():
        _sweep(config, keeper, samples(config, device, keeper.data), device)


def _sweep(config: RunConfig, keeper: Keeper, data: Samples, device: str) -> None:
    curves: dict[int, list[Curve]] = {}

    def at(half_octaves: int) -> Trial:
        curves[half_octaves] = [curve(config, rate(half_octaves), seed, data, device) for seed in seeds_of(config)]
        return trial(curves[half_octaves])

    grid = grid_of(config)
    trials = explore(at, grid)
    best = rate(best_of({each: trials[each] for each in grid.sweep}))
    again = trial([curve(config, best, _OTHER + seed, data, device) for seed in seeds_of(config)])
    write(keeper, curves[best_of(trials)][0], {SWEEP: {**columns(trials), "again": np.array(again.final)}})
