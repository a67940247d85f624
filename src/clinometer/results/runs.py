"""A study's runs as arrays over seeds: what claims and figures read."""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.store import DamagedError, Store, Table
from clinometer.training.config import RunConfig
from clinometer.training.loop import steps_of
from clinometer.training.run_folder import is_done, run_folder, verify

Floats = np.ndarray[Any, np.dtype[np.float64]]


class MissingRunsError(ValueError):
    """Runs that are asked for and are not there: a claim that meets it is undecided."""


@dataclass(frozen=True)
class Runs:
    """The finished runs of a study, arm by arm: an arm is a config whose seed does not matter.

    A run that diverged goes on as NaN to the length that was asked for.
    """

    study: Path
    configs: tuple[RunConfig, ...]
    damaged: tuple[str, ...] = ()  # what is wrong with those that are left out

    @classmethod
    def finished(cls, study: Path, configs: Sequence[RunConfig]) -> "Runs":
        """Those of `configs` whose runs are done and whole."""
        wrong: dict[RunConfig, str] = {}
        done = [config for config in dict.fromkeys(configs) if is_done(run_folder(study, config))]
        for config in done:
            try:
                verify(run_folder(study, config))
            except DamagedError as error:
                wrong[config] = str(error)
        return cls(study, tuple(config for config in done if config not in wrong), tuple(wrong.values()))

    @property
    def arms(self) -> list[RunConfig]:
        """The arms that have a finished run."""
        return list(dict.fromkeys(_arm(config) for config in self.configs))

    def seeds(self, *arms: RunConfig) -> list[int]:
        """The seeds that these arms have in common."""
        found = [{config.seed for config in self.configs if _arm(config) == _arm(arm)} for arm in arms]
        return sorted(set.intersection(*found))

    def common(self, *arms: RunConfig) -> list[int]:
        """The same, for what cannot be said without: MissingRunsError if there is none."""
        seeds = self.seeds(*arms)
        if not seeds:
            raise MissingRunsError("a network has no finished run, or the networks have no seed in common")
        return seeds

    def values(self, arm: RunConfig, probe: str, field: str, seeds: Sequence[int] | None = None) -> Floats:
        """A field of an arm's runs, shape (seeds, steps, ...), in the order of `seeds` (by default all that it has)."""
        chosen = self.common(arm) if seeds is None else seeds
        steps = len(steps_of(arm, probe))
        return np.stack([_lengthened(self._read(arm, seed, probe)[field], steps) for seed in chosen])

    def steps(self, arm: RunConfig, probe: str) -> np.ndarray[Any, Any]:
        """The steps at which a probe looked, or would have but for a divergence, shape (steps,)."""
        return np.array(steps_of(arm, probe))

    def row(self, arm: RunConfig, probe: str) -> Table:
        """The first row of a probe in an arm's first run; empty if there is none."""
        first = [run_folder(self.study, dataclasses.replace(arm, seed=seed)) for seed in self.seeds(arm)[:1]]
        return _rows(first[0]).get(probe, {}) if first else {}

    def diverged(self, arm: RunConfig) -> int:
        """How many of an arm's runs diverged."""
        folders = [run_folder(self.study, dataclasses.replace(arm, seed=seed)) for seed in self.seeds(arm)]
        return sum("diverged_at" in Store(folder / "rows.sqlite", read_only=True).meta for folder in folders)

    def _read(self, arm: RunConfig, seed: int, probe: str) -> Table:
        return _read(run_folder(self.study, dataclasses.replace(arm, seed=seed)), probe)


@functools.lru_cache(maxsize=64)
def _read(folder: Path, probe: str) -> Table:
    return Store(folder / "rows.sqlite", read_only=True).read(probe)


@functools.lru_cache(maxsize=64)
def _rows(folder: Path) -> dict[str, Table]:
    """The first row of each probe."""
    store = Store(folder / "rows.sqlite", read_only=True)
    return {probe: next(iter(store.rows(probe)[probe].values())) for probe in store.probes()}


def _arm(config: RunConfig) -> RunConfig:
    return dataclasses.replace(config, seed=0)


def _lengthened(values: np.ndarray[Any, Any], length: int) -> np.ndarray[Any, Any]:
    if values.dtype.kind not in "fiu" or len(values) == length:
        return values
    padding = np.full((length - len(values), *values.shape[1:]), np.nan)
    return np.concatenate([values.astype(float), padding])
