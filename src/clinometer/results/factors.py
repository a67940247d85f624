"""The finished runs of a study's folder, and the factors in which they differ."""

import collections
import contextlib
import hashlib
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.results.layouts import Layouts, Numbers, layouts
from clinometer.store import DamagedError, Store
from clinometer.training.run_folder import run_folders

_LONGEST = 2**24  # bytes of a JSON file
_DEEPEST = 20
_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Finished:
    """A run that came to its end, by finishing or by diverging."""

    folder: Path
    config: dict[str, Any]
    diverged_at: int | None
    layouts: Layouts


def is_study(path: Path) -> bool:
    """Whether `path` is a study's folder, and not one run's; many a folder has a `runs/` that holds something else."""
    if (path / "rows.sqlite").is_file() or not (path / "runs").is_dir():
        return False
    return (path / "study.json").is_file() or bool(run_folders(path))


def finished(study: Path) -> list[Finished]:
    """The finished runs in the order of their factors' values, the first factor varying slowest.

    Raises:
        ValueError: if one cannot be read; the message names its folder.
    """
    found = [run for run in map(_finished, run_folders(study)) if run]
    ranks = [np.unique(array(of), return_inverse=True)[1] for of in fields([run.config for run in found]).values()]
    return [found[number] for number in np.lexsort(ranks[::-1])] if ranks else found


@contextlib.contextmanager
def reading(folder: Path) -> Generator[None]:
    """Whatever is wrong with a run is said with its folder: ValueError. A failing disk is an OSError as ever."""
    try:
        yield
    except DamagedError:
        raise  # it names the file
    except (ValueError, TypeError, LookupError, RecursionError, FileNotFoundError) as error:
        raise ValueError(f"the run in {folder} cannot be read: {error}") from error


def config_of(folder: Path) -> dict[str, Any]:
    """The config of a run; ValueError if it is not what was written, or nothing that can be laid out in columns."""
    written = _bytes(folder / "config.json")
    if (folder / "done.json").is_file():
        digest = json.loads(_bytes(folder / "done.json"))["files"]["config.json"]
        if hashlib.sha256(written).hexdigest() != digest:
            raise DamagedError(f"{folder / 'config.json'} is damaged: it is not what was written.")
    config = json.loads(written)
    if not isinstance(config, dict):
        raise ValueError(f"config.json must hold an object; found {type(config).__name__}.")
    fields([config])  # what nests too deep fails here, where its folder is named
    return config


def fields(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Each field over all configs, as values of one type: truth values, integers, floats, or else text.

    What a field holds by names are fields of their own, called by all names on the way where the last is not enough. A
    list, or what is mixed with others, becomes JSON; null, or a field that a config lacks, is None. The seed comes
    last.

    Example:
        >>> fields([{"lr": 1, "norm": "batch"}, {"lr": 0.5, "norm": ["l1", 2]}, {"norm": None}])
        {'lr': [1.0, 0.5, None], 'norm': ['batch', '["l1", 2]', None]}
        >>> fields([{"seed": 0, "model": {"width": 8, "seed": 1}}])
        {'width': [8], 'model.seed': [1], 'seed': [0]}
    """
    flat = [dict(_leaves(config)) for config in configs]
    paths = sorted(dict.fromkeys(path for config in flat for path in config), key=lambda path: path == ("seed",))
    ends = collections.Counter(path[-1] for path in paths)
    names = {path: path[-1] if ends[path[-1]] == 1 else ".".join(path) for path in paths}
    return {name: _alike([config.get(path) for config in flat]) for path, name in names.items()}


def array(values: Sequence[Any]) -> Numbers:
    """One field's values as an array: None is NaN among numbers, and "" among text."""
    if None not in values:
        return np.array(values)
    text = any(isinstance(value, str) for value in values)
    return np.array([("" if text else np.nan) if value is None else value for value in values])


def _bytes(path: Path) -> bytes:
    """What a small file holds."""
    with path.open("rb") as file:
        found = file.read(_LONGEST + 1)
    if len(found) > _LONGEST:
        raise ValueError(f"{path.name} has more than {_LONGEST:,} bytes.")
    return found


def _finished(folder: Path) -> Finished | None:
    """The run in a folder, or None if it has not ended."""
    if not (folder / "done.json").is_file():
        return None
    with reading(folder):
        store = Store(folder / "rows.sqlite", read_only=True)
        run = Finished(folder, config_of(folder), store.meta.get("diverged_at"), layouts(store))
        store.close()
        return run


def _leaves(config: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if len(before) > _DEEPEST:
        raise ValueError(f"a config nests at most {_DEEPEST} objects; this one has more.")
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*before, name))
        else:
            yield (*before, name), value


def _alike(values: Sequence[Any]) -> list[Any]:
    given = [value for value in values if value is not None]
    kinds = {type(value) for value in given}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if kinds in ({str}, {float}) or (kinds == {bool} and len(given) == len(values)):
        return list(values)
    if kinds == {int} and all(value in _INTEGERS for value in given):
        return list(values)
    return [value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values]
