"""The trainers of the study: the ordinary loop at a given rate, and the same at the best rate of a sweep."""

import dataclasses
from collections.abc import Mapping

from clinometer.analysis.stable_rate import columns, outcome
from clinometer.papers.norms.configs import SWEEP
from clinometer.papers.norms.sweep import swept
from clinometer.training import loop
from clinometer.training.config import RunConfig
from clinometer.training.from_config import build_training
from clinometer.training.keeper import Keeper
from clinometer.training.own_settings import reads_settings
from clinometer.training.settings import Settings
from clinometer.training.trainer import seeds_together


@seeds_together(lambda _config: True)
def at_its_rate(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Train each config by the ordinary loop.

    Seeds are trained one after the other in one process: to start it and to read the data takes longer than a run.
    """
    loop.train(runs, device)


@reads_settings("half_octaves", "sweep_steps")
@seeds_together(lambda _config: True)
def at_best_rate(runs: Mapping[RunConfig, Keeper], device: str = "cpu") -> None:
    """Sweep the learning rate of each config's network, then train it by the ordinary loop at the best one.

    Rows beside those of the loop: one of `sweep`, with what became of each rate (see `analysis/stable_rate.py`),
    and of all of them `best`, `largest` and `unstable`, as in `Outcome`. The config's `half_octaves` are its rates,
    and `sweep_steps` the steps of each.
    """
    for config, keeper in runs.items():
        trials = swept(config, device, keeper.data)
        found = outcome(trials)
        chosen = dataclasses.replace(config, settings=Settings({**config.settings, "lr": found.best}))
        recorder = loop.train_steps(chosen, build_training(chosen, device, keeper.data), keeper)
        ends = {"best": found.best, "largest": found.largest, "unstable": found.unstable}
        recorder.store.append(0, {SWEEP: {**columns(trials), **ends}})
        loop.end(recorder)
