"""Studies made of numbers that are chosen, not trained: what claims and figures must read from them is known."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinometer import Store
from clinometer.study.config import Config, grid
from clinometer.study.run import run_folder
from clinometer.study.table import Runs
from clinometer.study.train import steps_of

LAYERS = [f"features.layer{i}.norm" for i in range(1, 6)]
Curve = Callable[[Config, int], float]  # a value at a step of a run


def study(
    folder: Path,
    arms: Sequence[Config],
    seeds: int = 3,
    *,
    accuracy: Curve = lambda _c, s: min(1.0, s / 50),
    variation: Curve = lambda _c, _s: 1.0,
    gap: Curve = lambda _c, _s: 1.0,
    beta: Curve = lambda _c, _s: 10.0,
    l2: Curve = lambda _c, _s: 1.0,
    cosine: Curve = lambda _c, _s: 0.5,
    mean: Curve = lambda _c, _s: 0.0,
    variance: Curve = lambda _c, _s: 1.0,
    gap_min: Curve | None = None,
    ends: Callable[[Config], bool] = lambda _c: False,
) -> Runs:
    """Finished runs of these arms whose rows hold these curves; those that `ends` names diverged at step 45."""
    configs = [config for arm in arms for config in grid(arm, seed=range(seeds))]
    for config in dict.fromkeys(configs):
        store = Store(run_folder(folder, config) / "rows.sqlite")
        for step in range(45 if ends(config) else config.steps):
            rows: dict[str, dict[str, Any]] = {"train": {"loss": 1.0, "accuracy": accuracy(config, step)}}
            if step in steps_of(config, "test"):
                rows["test"] = {"loss": 1.0, "accuracy": accuracy(config, step)}
            if step in steps_of(config, "landscape"):
                rows["landscape"] = {
                    "loss_min": 1.0,
                    "loss_max": 1.0 + variation(config, step),
                    "gap_min": (gap_min or gap)(config, step),
                    "gap_max": gap(config, step),
                    "beta": beta(config, step),
                }
                rows["internal_shift"] = {
                    "l2": np.array([0.0, *[l2(config, step)] * 5]),
                    "cosine": np.array([1.0, *[cosine(config, step)] * 5]),
                }
                rows["activations"] = {
                    "layer": LAYERS,
                    "mean": np.full((5, 2), mean(config, step)),
                    "var": np.full((5, 2), variance(config, step)),
                    "edges": np.tile(np.linspace(-1, 1, 9), (5, 1)) + step,
                    "counts": np.tile(np.arange(8.0), (5, 1)),
                }
            store.append(step, rows)
        store.set_meta(ended=True, **({"diverged_at": 44} if ends(config) else {}))
        store.close()
    return Runs.finished(folder, configs)
