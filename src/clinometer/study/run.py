"""One run as a folder: done once, whole, or begun anew. Runs that train together are made by one call.

A folder is named by the hash of its config and holds `config.json`, `environment.json` and `rows.sqlite`, whose
facts say how the run ended. What is not marked as ended there is thrown away and done again.
"""

import dataclasses
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from clinometer.nn.deep_linear import READINGS
from clinometer.store import Store
from clinometer.study.config import Config
from clinometer.study.environment import environment
from clinometer.study.files import write_json
from clinometer.study.linear import stacks, train_together
from clinometer.study.train import train


def run_folder(study: Path, config: Config) -> Path:
    """Where a config's run lies in a study's folder."""
    return study / "runs" / config.key


def is_done(folder: Path) -> bool:
    """Whether the run in `folder` came to its end, by finishing or by diverging."""
    rows = folder / "rows.sqlite"
    try:
        return rows.is_file() and "ended" in Store(rows, read_only=True).meta
    except sqlite3.OperationalError:
        raise  # locked, or a failing disk: it may be done
    except (ValueError, sqlite3.DatabaseError):  # killed before the store was made, or damaged since
        return False


def groups(configs: Iterable[Config]) -> list[tuple[Config, ...]]:
    """The configs by the process that makes them: seeds that train stacked together, every other run alone.

    Example:
        >>> [[c.seed for c in group] for group in groups([Config(seed=0), Config(seed=1)])]
        [[0], [1]]
    """
    found: dict[Config, list[Config]] = {}
    for config in configs:
        found.setdefault(dataclasses.replace(config, seed=0) if stacks(config) else config, []).append(config)
    return [tuple(group) for group in found.values()]


def run(config: Config, folder: Path, device: str = "cpu") -> None:
    """Make the run of `config` in `folder`, on one thread; nothing happens if it is done already."""
    run_group({config: folder}, device)


def run_group(folders: Mapping[Config, Path], device: str = "cpu") -> None:
    """Make the runs of one of `groups`, each in its folder, on one thread; those done already are left out."""
    waiting = {config: folder for config, folder in folders.items() if not is_done(folder)}
    if not waiting:
        return
    for config, folder in waiting.items():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(folder / "config.json", dataclasses.asdict(config))
        write_json(folder / "environment.json", environment(device))
    torch.set_num_threads(1)  # one single-threaded process per core beats one process with many threads
    if next(iter(waiting)).model in READINGS:
        train_together(waiting, device)
    else:
        for config, folder in waiting.items():
            train(config, folder, device)
