"""Studies made of numbers that are chosen, not trained: what claims and figures must read from them is known."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinometer import Store, activations, batch_sharpness, batchnorm_terms, internal_shift, landscape
from clinometer.papers import load_study
from clinometer.papers.santurkar2018.configs import DLN_SHIFT, is_deep_linear
from clinometer.probes.field import declared_by, to_json
from clinometer.results.run_table import RunTable
from clinometer.studies.claims import Finding, decide
from clinometer.training.config import Bases, RunConfig, grid, key_of
from clinometer.training.environment import environment
from clinometer.training.files import write_json
from clinometer.training.run_folder import finish, run_folder

STUDY = load_study("santurkar2018")
_SMOKE = STUDY.scales["smoke"].bases
BASES: Bases = {**_SMOKE, "dln": dataclasses.replace(_SMOKE["dln"], steps=100)}
CLAIMS = {claim.id: claim for claim in STUDY.claims}
Curve = Callable[[RunConfig, int], float]  # a value at a step of a run
SIZES = np.array([0.5, 1.0, 2.0, 4.0])
_PROBES = (
    landscape(),
    landscape(direction="random", distances=[0.1]),
    internal_shift(),
    activations(["norm"]),
    batchnorm_terms(),
    batch_sharpness(),
)
DECLARED = to_json(declared_by({probe.__name__: probe for probe in _PROBES}))  # as the recorder writes it


def layers_of(config: RunConfig) -> list[str]:
    """What the networks call their norms."""
    stem, count = ("layers", 25) if deep(config) else ("features", 5)
    return [f"{stem}.layer{i}.norm" for i in range(1, count + 1)]


def ended(store: Store, config: RunConfig) -> None:
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
    folder = study / "runs" / key_of(config)
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


class StoredTable(RunTable):
    """The table of a study that a test wrote to disk, and where that is."""

    study: Path


def arrays(
    config: RunConfig,
    *,
    accuracy: Curve = lambda _c, s: min(1.0, s / 50),
    test: Curve = lambda _c, _s: 0.8,
    loss: Curve = lambda _c, s: 10.0 / (1 + s),
    variation: Curve = lambda _c, _s: 1.0,
    gap: Curve = lambda _c, _s: 1.0,
    beta: Curve = lambda _c, _s: 10.0,
    grad_norm: Curve = lambda _c, _s: 1.0,
    random_variation: Curve = lambda _c, _s: 1.0,
    random_gap: Curve = lambda _c, _s: 1.0,
    sharpness: Curve = lambda c, _s: 2 / c["lr"],
    taken: tuple[Any, Any] = (2.0, 3.0),  # by the mean and the correlation, of a squared gradient of 10
    l2: Curve = lambda _c, _s: 1.0,
    cosine: Curve = lambda _c, _s: 0.5,
    mean: Curve = lambda _c, _s: 0.0,
    variance: Curve = lambda _c, _s: 1.0,
    before: Curve | None = None,  # the mean before the norm, where it is not the one at its output
    after: Curve | None = None,  # and after the ReLU
    gap_min: Curve | None = None,
    ends: Callable[[RunConfig], bool] = lambda _c: False,
) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    """The rows of a run that hold these curves, probe by probe; one that `ends` names has rows of 45 steps."""
    names = layers_of(config)
    last = 45 if ends(config) else config.steps

    def steps(probe: str) -> list[int]:
        return [step for step in config.steps_of(probe) if step < last]

    def along(probe: str, curve: Curve, *shape: int) -> np.ndarray[Any, Any]:
        values = np.array([curve(config, step) for step in steps(probe)])
        return values.reshape(-1, *(1,) * len(shape)) * np.ones(shape)

    def alike(probe: str, row: Any) -> np.ndarray[Any, Any]:
        return np.stack([np.asarray(row)] * len(steps(probe)))

    found = {"train": {"loss": along("train", loss)}}
    if not deep(config):
        found["train"]["accuracy"] = along("train", accuracy)
        found["test"] = {"loss": alike("test", 1.0), "accuracy": along("test", test)}
    walk = "landscape"
    found[walk] = {
        "loss": along(walk, loss),
        "grad_norm": along(walk, grad_norm),
        "loss_min": alike(walk, 1.0),
        "loss_max": 1.0 + along(walk, variation),
        "gap_min": along(walk, gap_min or gap),
        "gap_max": along(walk, gap),
        "sizes": alike(walk, SIZES * config["lr"]),
        "distances": alike(walk, SIZES * config["lr"] * 3),
        "grad_gaps": SIZES * along(walk, gap, 1),
        "losses": 1.0 + SIZES / SIZES[-1] * along(walk, variation, 1),
        "beta": along(walk, beta),
        "beta_lr_half": along(walk, beta) * config["lr"] / 2,
    }
    found["landscape_random"] = found[walk] | {
        "loss_max": 1.0 + along(walk, random_variation),
        "gap_max": along(walk, random_gap),
    }
    found["batch_sharpness"] = {"ratio": along(walk, sharpness) * config["lr"] / 2}
    shifted = list(DLN_SHIFT) if deep(config) else [name.replace(".norm", ".conv") for name in names]
    later = np.array([".layer1." not in name for name in shifted])
    found["internal_shift"] = {
        "layer": alike(walk, shifted),
        "l2": along(walk, l2, len(shifted)) * later,
        "cosine": np.where(later, along(walk, cosine, len(shifted)), 1.0),
    }
    if config["norm"] in ("batch", "noisy_batch"):
        terms = {"scale": 4, "gradient": 10, "mean": taken[0], "correlation": taken[1], "passed": 20}
        found["batchnorm_terms"] = {
            "layer": alike(walk, names),
            **{name: alike(walk, np.broadcast_to(value, (len(names), 2)) * 1.0) for name, value in terms.items()},
        }
    means = {"activations_before_norm": before or mean, "activations": mean, "activations_after_relu": after or mean}
    for site, curve in means.items():
        found[site] = {
            "layer": alike(site, names),
            "mean": along(site, curve, len(names), 2),
            "var": along(site, variance, len(names), 2),
        }
    norms = "activations"
    moved = np.array(steps(norms), dtype=float).reshape(-1, 1, 1)
    found[norms]["edges"] = alike(norms, np.tile(np.linspace(-1, 1, 9), (len(names), 1))) + moved
    found[norms]["counts"] = alike(norms, np.tile(np.arange(8.0), (len(names), 1)))
    return found


def configs_of(arms: Sequence[RunConfig], seeds: int) -> list[RunConfig]:
    """Every seed of every arm, once."""
    return list(dict.fromkeys(config for arm in arms for config in grid(arm, seed=range(seeds))))


def table(arms: Sequence[RunConfig], seeds: int = 3, **curves: Any) -> RunTable:
    """Finished runs in memory, with the curves of `arrays`; those that `ends` names diverged at step 44."""
    configs = configs_of(arms, seeds)
    ends = curves.get("ends", lambda _c: False)
    diverged = {config: 44 for config in configs if ends(config)}
    return RunTable.of_arrays({config: arrays(config, **curves) for config in configs}, diverged)


def study(folder: Path, arms: Sequence[RunConfig], seeds: int = 3, **curves: Any) -> StoredTable:
    """The same runs as `table` has, on disk: for what reads files."""
    configs = configs_of(arms, seeds)
    for config in configs:
        store = Store(run_folder(folder, config) / "rows.sqlite")
        found = arrays(config, **curves)
        for step in range(len(found["train"]["loss"])):
            rows = {
                probe: {name: values[steps.index(step)] for name, values in found[probe].items()}
                for probe in found
                if step in (steps := list(config.steps_of(probe)))
            }
            store.append(step, rows)
        store.set_meta(fields=DECLARED, **({"diverged_at": 44} if curves.get("ends", lambda _c: False)(config) else {}))
        ended(store, config)
        store.close()
    found = StoredTable.read(folder, configs)
    found.study = folder
    return found


def jitter(config: RunConfig) -> float:
    """A seed's own deviation, so that intervals have a width: −0.01, 0 or 0.01."""
    return 0.01 * (config.seed % 3 - 1)


def deep(config: RunConfig) -> bool:
    """Whether this is the deep linear network, which has no accuracy and no time at chance."""
    return is_deep_linear(config)


def find(claim: str, seeds: int = 12, **curves: Curve) -> Finding:
    """What a claim finds in runs in memory that hold these curves."""
    arms = [arm for name in CLAIMS[claim].figures for arm in STUDY.figures[name].arms(BASES)]
    return decide(CLAIMS[claim], table(arms, seeds, **curves), BASES)


def by_norm(**values: float) -> Curve:
    return lambda config, _step: values.get(config["norm"], 1.0) * (1 + jitter(config))


def over_time(none: Callable[[int], float], batch: Callable[[int], float]) -> Curve:
    """A curve over the measured steps, the networks' own, with a little of the seed."""
    return lambda config, step: (
        (none if config["norm"] == "none" else batch)(step // config.measure_every) * (1 + jitter(config))
    )
