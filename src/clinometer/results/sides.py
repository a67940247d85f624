"""Runs that are laid side by side, by the names that their user gave: one folder a name, or several seeds of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from clinometer.results.finished_run import check_run
from clinometer.results.run_or_study import run_file

Given = Mapping[str, "str | Path | Sequence[str | Path]"]
Sides = Mapping[str, tuple[Path, ...]]  # name to the stores of its runs


def sides_of(given: Given) -> Sides:
    """The stores that are meant, after a look at each: it is there, it is one run's, and it comes once.

    Args:
        given: A name for each run, and its folder or `rows.sqlite`; or a list of these, one for each seed.

    Raises:
        ValueError: if a name or a list is empty, a folder is missing, is a study's or holds no rows, or comes twice;
            or a run of a study is damaged.
        TypeError: if a value is neither a path nor a list of paths.
    """
    if not given:
        raise ValueError('expected a name for each run and its folder, such as {"base": "runs/a", "mine": "runs/b"}.')
    found = {_name(name): tuple(_store(path) for path in _paths(name, of)) for name, of in given.items()}
    where: dict[Path, str] = {}
    for name, store in ((name, store) for name, stores in found.items() for store in stores):
        if (before := where.get(store.resolve())) is not None:
            raise ValueError(f"{store.parent} is given twice, as {before!r} and as {name!r}; a run comes once.")
        where[store.resolve()] = name
    return found


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"expected a name for each run, such as 'base'; found {name!r}.")
    return name


def _paths(name: str, given: Any) -> list[Path]:
    several = isinstance(given, list | tuple)
    paths: list[Any] = list(cast("Sequence[Any]", given)) if several else [given]
    if not paths:
        raise ValueError(f"{name!r} has no folder; expected a run's, or a list with one for each seed.")
    if wrong := [path for path in paths if not isinstance(path, str | Path)]:
        raise TypeError(f"expected a run's folder for {name!r}, or a list of them; found {wrong[0]!r}.")
    return [Path(path) for path in paths]


def _store(path: Path) -> Path:
    store = run_file(path, "single runs are laid side by side")
    check_run(store.parent)
    return store
