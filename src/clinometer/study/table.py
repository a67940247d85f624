"""A study's runs as arrays over seeds: what claims and figures read."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.store import Store, Table
from clinometer.study.config import Config
from clinometer.study.run import is_done, run_folder
from clinometer.study.train import steps_of

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Runs:
    """The finished runs of a study. A run that diverged goes on as NaN to the length that was asked for."""

    study: Path
    configs: tuple[Config, ...]

    @classmethod
    def finished(cls, study: Path, configs: Sequence[Config]) -> "Runs":
        """Those of `configs` whose runs are done."""
        return cls(study, tuple(c for c in dict.fromkeys(configs) if is_done(run_folder(study, c))))

    def seeds(self, **arm: Any) -> list[int]:
        """The seeds of an arm: of the runs whose config has these values."""
        return sorted(config.seed for config in self._of(arm))

    def values(self, probe: str, field: str, *, seeds: Sequence[int] | None = None, **arm: Any) -> Floats:
        """A field of an arm's runs, shape (seeds, steps, ...), in the order of `seeds` (by default all that it has)."""
        runs = {config.seed: config for config in self._of(arm)}
        chosen = [runs[seed] for seed in (sorted(runs) if seeds is None else seeds)]
        if not chosen:
            raise ValueError(f"no finished run has {_said(arm)}.")
        return np.stack(
            [_lengthened(self.read(config, probe)[field], len(steps_of(config, probe))) for config in chosen]
        )

    def steps(self, probe: str, **arm: Any) -> np.ndarray[Any, Any]:
        """The steps at which a probe looked, or would have but for a divergence, shape (steps,)."""
        return np.array(steps_of(self._of(arm)[0], probe))

    def pairs(self, first: dict[str, Any], second: dict[str, Any]) -> list[int]:
        """The seeds that two arms have in common."""
        return sorted(set(self.seeds(**first)) & set(self.seeds(**second)))

    def diverged(self, **arm: Any) -> int:
        """How many of an arm's runs diverged."""
        return sum("diverged_at" in _meta(run_folder(self.study, config)) for config in self._of(arm))

    def read(self, config: Config, probe: str) -> Table:
        """All rows of a probe in one run."""
        return _read(run_folder(self.study, config), probe)

    def _of(self, arm: dict[str, Any]) -> list[Config]:
        return [config for config in self.configs if all(getattr(config, name) == v for name, v in arm.items())]


@functools.lru_cache(maxsize=512)
def _read(folder: Path, probe: str) -> Table:
    return Store(folder / "rows.sqlite", read_only=True).read(probe)


def _meta(folder: Path) -> dict[str, Any]:
    return Store(folder / "rows.sqlite", read_only=True).meta


def _lengthened(values: np.ndarray[Any, Any], length: int) -> np.ndarray[Any, Any]:
    if values.dtype.kind not in "fiu" or len(values) == length:
        return values
    padding = np.full((length - len(values), *values.shape[1:]), np.nan)
    return np.concatenate([values.astype(float), padding])


def _said(arm: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in arm.items())
