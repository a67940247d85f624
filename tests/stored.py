"""Studies made of numbers that are chosen, not trained: what claims and figures must read from them is known."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinometer import Store
from clinometer.papers import PAPERS
from clinometer.results.runs import Runs
from clinometer.studies.claims import Finding
from clinometer.training.config import Bases, Config, grid
from clinometer.training.environment import environment
from clinometer.training.files import write_json
from clinometer.training.loop import steps_of
from clinometer.training.run_folder import finish, run_folder

STUDY = PAPERS["santurkar2018"]()
_SMOKE = STUDY.scales["smoke"].bases
BASES: Bases = {**_SMOKE, "dln": dataclasses.replace(_SMOKE["dln"], steps=100)}
CLAIMS = {claim.id: claim for claim in STUDY.claims}
Curve = Callable[[Config, int], float]  # a value at a step of a run
SIZES = np.array([0.5, 1.0, 2.0, 4.0])


def layers_of(config: Config) -> list[str]:
    """What the networks call their norms."""
    stem, count = ("layers", 25) if config.data == "gaussian" else ("features", 5)
    return [f"{stem}.layer{i}.norm" for i in range(1, count + 1)]


def ended(store: Store, config: Config) -> None:
    """Close the store of a run, and declare the run done."""
    assert store.path
    folder = store.path.parent
    store.set_meta(ended=True)
    store.seal()
    store.close()
    write_json(folder / "config.json", dataclasses.asdict(config))
    write_json(folder / "environment.json", environment())
    finish(folder)


def keep(
    study: Path,
    config: Mapping[str, Any],
    rows: Mapping[int, Mapping[str, Mapping[str, Any]]],
    *,
    environment: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Path:
    """A finished run of any config, with these rows by step; its folder."""
    folder = study / "runs" / hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
    store = Store(folder / "rows.sqlite")
    for step, row in rows.items():
        store.append(step, row)
    store.set_meta(ended=True, **facts)
    store.seal()
    store.close()
    write_json(folder / "config.json", config)
    write_json(folder / "environment.json", environment or {})
    finish(folder)
    return folder


def study(
    folder: Path,
    arms: Sequence[Config],
    seeds: int = 3,
    *,
    accuracy: Curve = lambda _c, s: min(1.0, s / 50),
    test: Curve = lambda _c, _s: 0.8,
    loss: Curve = lambda _c, s: 10.0 / (1 + s),
    variation: Curve = lambda _c, _s: 1.0,
    gap: Curve = lambda _c, _s: 1.0,
    beta: Curve = lambda _c, _s: 10.0,
    random_gap: Curve = lambda _c, _s: 1.0,
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
        names = layers_of(config)
        for step in range(45 if ends(config) else config.steps):
            rows: dict[str, dict[str, Any]] = {"train": {"loss": loss(config, step)}}
            if config.data != "gaussian":
                rows["train"]["accuracy"] = accuracy(config, step)
                if step in steps_of(config, "test"):
                    rows["test"] = {"loss": 1.0, "accuracy": test(config, step)}
            if step in steps_of(config, "landscape"):
                walked = {
                    "loss": loss(config, step),
                    "loss_min": 1.0,
                    "loss_max": 1.0 + variation(config, step),
                    "gap_min": (gap_min or gap)(config, step),
                    "gap_max": gap(config, step),
                    "sizes": SIZES * config.lr,
                    "distances": SIZES * config.lr * 3,
                    "grad_gaps": SIZES * gap(config, step),
                    "beta": beta(config, step),
                    "beta_lr_half": beta(config, step) * config.lr / 2,
                }
                rows["landscape"] = walked
                rows["landscape_random"] = walked | {"gap_max": random_gap(config, step)}
                rows["internal_shift"] = {
                    "l2": np.array([0.0, *[l2(config, step)] * (len(names) - 1)]),
                    "cosine": np.array([1.0, *[cosine(config, step)] * (len(names) - 1)]),
                }
                if config.norm in ("batch", "noisy_batch"):
                    ones = np.ones((len(names), 2))
                    rows["batchnorm_terms"] = {
                        "layer": names,
                        "scale": 4 * ones,
                        "gradient": 10 * ones,
                        "mean": 2 * ones,
                        "correlation": 3 * ones,
                        "passed": 20 * ones,
                    }
            if step in steps_of(config, "activations"):
                rows["activations"] = {
                    "layer": names,
                    "mean": np.full((len(names), 2), mean(config, step)),
                    "var": np.full((len(names), 2), variance(config, step)),
                    "edges": np.tile(np.linspace(-1, 1, 9), (len(names), 1)) + step,
                    "counts": np.tile(np.arange(8.0), (len(names), 1)),
                }
            store.append(step, rows)
        store.set_meta(**({"diverged_at": 44} if ends(config) else {}))
        ended(store, config)
        store.close()
    return Runs.finished(folder, configs)


def jitter(config: Config) -> float:
    """A seed's own deviation, so that intervals have a width: −0.01, 0 or 0.01."""
    return 0.01 * (config.seed % 3 - 1)


def deep(config: Config) -> bool:
    """Whether this is the deep linear network, which has no accuracy and no time at chance."""
    return config.data == "gaussian"


def find(folder: Path, claim: str, seeds: int = 3, **curves: Curve) -> Finding:
    arms = [arm for name in CLAIMS[claim].exhibits for arm in STUDY.exhibits[name].arms(BASES)]
    with np.errstate(divide="ignore", invalid="ignore"):  # as the claims table does
        return CLAIMS[claim].decide(study(folder, arms, seeds, **curves), BASES)


def by_norm(**values: float) -> Curve:
    return lambda config, _step: values.get(config.norm, 1.0) * (1 + jitter(config))


def over_time(none: Callable[[int], float], batch: Callable[[int], float]) -> Curve:
    """A curve over the measured steps, the networks' own, with a little of the seed."""
    return lambda config, step: (
        (none if config.norm == "none" else batch)(step // config.measure_every) * (1 + jitter(config))
    )
