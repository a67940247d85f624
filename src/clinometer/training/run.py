"""Trains the runs of one process, each in its folder, from their last checkpoints where they were interrupted."""

import dataclasses
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from clinometer.store import DamagedError
from clinometer.training.checkpoint import Keeper
from clinometer.training.config import RunConfig
from clinometer.training.environment import environment
from clinometer.training.files import read_json, write_json
from clinometer.training.run_folder import finish, is_done
from clinometer.training.trainer import trainer_of, trains_seeds_together

Group = tuple[RunConfig, ...]  # runs that one process makes

SECONDS = 60.0  # from one checkpoint to the next


def groups(configs: Iterable[RunConfig]) -> list[Group]:
    """The configs by the process that makes them: each alone, but for seeds that their trainer makes together.

    Example:
        >>> [[c.seed for c in group] for group in groups([RunConfig("nets:mlp", seed=seed) for seed in (0, 1)])]
        [[0], [1]]
    """
    found: dict[RunConfig, list[RunConfig]] = {}
    for config in configs:
        together = trains_seeds_together(config)
        found.setdefault(dataclasses.replace(config, seed=0) if together else config, []).append(config)
    return [tuple(group) for group in found.values()]


def run(config: RunConfig, folder: Path, device: str = "cpu") -> None:
    """Make the run of `config` in `folder`, on one thread; nothing happens if it is done already."""
    run_group({config: folder}, device)


def run_group(
    folders: Mapping[RunConfig, Path],
    device: str = "cpu",
    every: float = SECONDS,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Make the runs of one of `groups`, each in its folder, on one thread; those done already are left out.

    Args:
        folders: Each config's folder. Nobody else may write there: see `runner/locks.py`.
        device: Where to train.
        every: Seconds from one checkpoint to the next.
        facts: What to note of where each is made, by its key; what `environment` says by default.
    """
    waiting = {config: folder for config, folder in folders.items() if not is_done(folder)}
    if not waiting:
        return
    keepers = {config: Keeper(folder, every) for config, folder in waiting.items()}
    for config, folder in waiting.items():
        _prepare(config, folder, (facts or {}).get(config.key) or environment(device), keepers[config])
    torch.set_num_threads(1)  # one single-threaded process per core beats one process with many threads
    trainer_of(next(iter(keepers)))(keepers, device)
    for folder in waiting.values():
        finish(folder)


def _prepare(config: RunConfig, folder: Path, facts: Mapping[str, Any], keeper: Keeper) -> None:
    """Leave in `folder` what the run can go on from, and nothing else.

    What the same code made of the same data goes on, on another machine too: then both are noted, this one and those
    `before`.
    """
    plan, now = _plain(dataclasses.asdict(config)), _plain(facts)
    held = _held(folder / "environment.json")
    before = held.pop("before", [])
    alike = held == now if "fingerprint" not in now else held.get("fingerprint") == now["fingerprint"]
    if not (alike and _held(folder / "config.json") == plan and keeper.find()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(folder / "config.json", plan)
        write_json(folder / "environment.json", now)
    elif held != now:
        write_json(folder / "environment.json", {**now, "before": [*before, held]})


def _plain(value: object) -> Any:
    """A value as JSON gives it back."""
    return json.loads(json.dumps(value))


def _held(file: Path) -> dict[str, Any]:
    """What a JSON file says; nothing if it is not there, or damaged."""
    try:
        return read_json(file)
    except (OSError, DamagedError):
        return {}
