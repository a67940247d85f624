"""A study's runs as arrays over seeds: what claims and figures read, from a disk or from memory."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from clinometer.probes.field import Declared, Fields
from clinometer.probes.labels import described
from clinometer.readable.results import readable
from clinometer.results.finished_run import find_runs
from clinometer.store import Table
from clinometer.training.config import RunConfig

Floats = np.ndarray[Any, np.dtype[np.float64]]
Values = np.ndarray[Any, Any]
Arrays = Mapping[str, Mapping[str, ArrayLike]]  # probe to field to values, shape (rows, ...)


class MissingRunsError(ValueError):
    """Runs that are needed and are not there: a claim that meets it is undecided."""


class Run(Protocol):
    """What a table needs of a run."""

    @property
    def environment(self) -> Mapping[str, Any]:
        """Where and with what it was made."""
        ...

    @property
    def diverged_at(self) -> int | None:
        """The step at which it diverged, or None."""
        ...

    @property
    def seconds(self) -> float | None:
        """How long it takes; None where that is not known."""
        ...

    @property
    def declared(self) -> Declared:
        """What its probes declare of their fields."""
        ...

    def column(self, probe: str, field: str) -> Values:
        """A field of a probe's rows, shape (rows, ...); ValueError if there is none."""
        ...

    def first_row(self, probe: str) -> Table:
        """The probe's first row; empty if it has none."""
        ...


@readable
@dataclass(frozen=True)
class ArrayRun:
    """A run whose rows are arrays in memory."""

    arrays: Mapping[str, Mapping[str, Values]]
    diverged_at: int | None = None
    environment: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    declared: Declared = dataclasses.field(default_factory=dict[str, Fields])
    seconds: float | None = None

    def column(self, probe: str, field: str) -> Values:
        """A field of a probe's rows, shape (rows, ...); ValueError if there is none."""
        if field not in self.arrays.get(probe, {}):
            raise ValueError(f"no rows of {probe}.{field}; there are {', '.join(self.arrays) or 'none'}.")
        return self.arrays[probe][field]

    def first_row(self, probe: str) -> Table:
        """The probe's first row; empty if it has none."""
        return {field: values[0] for field, values in self.arrays.get(probe, {}).items() if len(values)}


class RunTable:
    """Finished runs by arm and seed: an arm is a config whose seed does not matter.

    Arrays are read when they are first used, and are held as long as the table: make a new one after a run was made
    again. A run that diverged continues as NaN to the length that its config asked for.

    Args:
        runs: Config to its run.
        damaged: What is wrong with runs that were left out, in sentences.

    Example:
        >>> arm = RunConfig("nets:mlp", steps=3)
        >>> losses = {seed: {"train": {"loss": [4.0, 2.0, 1.0 + seed]}} for seed in (0, 1)}
        >>> table = RunTable.of_arrays({dataclasses.replace(arm, seed=seed): of for seed, of in losses.items()})
        >>> table.values(arm, "train", "loss")
        array([[4., 2., 1.],
               [4., 2., 2.]])
    """

    def __init__(self, runs: Mapping[RunConfig, Run], damaged: Sequence[str] = ()) -> None:
        self.runs = dict(runs)
        self.damaged = tuple(damaged)
        self._seeds: dict[RunConfig, set[int]] = {}
        for config in self.runs:
            self._seeds.setdefault(_arm(config), set()).add(config.seed)
        self._held: dict[tuple[RunConfig, str, str], Values] = {}

    def __repr__(self) -> str:
        left_out = f", {len(self.damaged)} left out" if self.damaged else ""
        return f"RunTable({len(self._seeds)} arms, {len(self.runs)} runs{left_out})"

    @classmethod
    def read(cls, study: Path, configs: Sequence[RunConfig], earlier: "RunTable | None" = None) -> Self:
        """Those of `configs` whose runs in a study's folder are finished and intact.

        Cost: every file of these runs is read once, to compare it with its digest.

        Args:
            study: The study's folder.
            configs: The runs that the table shall have, in this order.
            earlier: A table of the same study: its runs are not read again, nor are the arrays that it holds. Nothing
                may have made them again since.
        """
        known: Mapping[RunConfig, Run] = {} if earlier is None else earlier.runs
        wanted = {config.key: config for config in configs if config not in known}
        found = find_runs(study, wanted)
        read: dict[RunConfig, Run] = {wanted[run.folder.name]: run for run in found.finished}
        runs = {**known, **read}
        table = cls({c: runs[c] for c in configs if c in runs}, [str(error) for error in found.damaged.values()])
        table._held = {} if earlier is None else earlier._held
        return table

    def only(self, configs: Sequence[RunConfig]) -> "RunTable":
        """The table of those of `configs` that this one has; what either reads of them, both hold."""
        table = RunTable({config: self.runs[config] for config in configs if config in self.runs}, self.damaged)
        table._held = self._held
        return table

    @classmethod
    def of_arrays(cls, arrays: Mapping[RunConfig, Arrays], diverged_at: Mapping[RunConfig, int] | None = None) -> Self:
        """A table without a disk, for tests and notebooks.

        Args:
            arrays: Config to probe to field to values, whose first axis is the probe's steps.
            diverged_at: Of the runs that diverged, the step; their arrays may be shorter.
        """
        ended = diverged_at or {}
        return cls(
            {
                config: ArrayRun(
                    {
                        probe: {field: np.asarray(values) for field, values in fields.items()}
                        for probe, fields in probes.items()
                    },
                    ended.get(config),
                )
                for config, probes in arrays.items()
            }
        )

    @property
    def configs(self) -> tuple[RunConfig, ...]:
        """The configs of the runs that are there."""
        return tuple(self.runs)

    @property
    def arms(self) -> list[RunConfig]:
        """The arms that have a finished run."""
        return list(self._seeds)

    def seeds(self, *arms: RunConfig) -> list[int]:
        """The seeds that these arms have in common."""
        return sorted(set.intersection(*(self._seeds.get(_arm(arm), set()) for arm in arms)))

    def common(self, *arms: RunConfig) -> list[int]:
        """The seeds that these arms have in common; MissingRunsError if there is none."""
        seeds = self.seeds(*arms)
        if not seeds:
            raise MissingRunsError("a network has no finished run, or the networks have no seed in common")
        return seeds

    def values(self, arm: RunConfig, probe: str, field: str, seeds: Sequence[int] | None = None) -> Floats:
        """A field of an arm's runs, shape (seeds, steps, ...), in the order of `seeds` (by default all that it has)."""
        chosen = self.common(arm) if seeds is None else seeds
        steps = len(arm.steps_of(probe))
        return np.stack([_lengthened(self._column(arm, seed, probe, field), steps) for seed in chosen])

    def steps(self, arm: RunConfig, probe: str) -> np.ndarray[Any, Any]:
        """The steps at which a probe measured, or would have but for a divergence, shape (steps,)."""
        return np.array(arm.steps_of(probe))

    def row(self, arm: RunConfig, probe: str) -> Table:
        """The first row of a probe in an arm's first run; empty if there is none."""
        first = self.seeds(arm)[:1]
        return self._run(arm, first[0]).first_row(probe) if first else {}

    def fields(self, arm: RunConfig, probe: str) -> Fields:
        """The fields of a probe in an arm's first run, declared or as they look; empty if there is no row."""
        first = self.seeds(arm)[:1]
        return described(self.row(arm, probe), self._run(arm, first[0]).declared.get(probe)) if first else {}

    def diverged(self, arm: RunConfig) -> int:
        """How many of an arm's runs diverged."""
        return sum(self._run(arm, seed).diverged_at is not None for seed in self.seeds(arm))

    def seconds(self, arm: RunConfig) -> float | None:
        """How long a run of an arm takes, the mean of those that say so; None if none does."""
        known = [seconds for seed in self.seeds(arm) if (seconds := self._run(arm, seed).seconds) is not None]
        return float(np.mean(known)) if known else None

    def _run(self, arm: RunConfig, seed: int) -> Run:
        config = dataclasses.replace(arm, seed=seed)
        if config not in self.runs:
            raise MissingRunsError(f"a network has no finished run with seed {seed}")
        return self.runs[config]

    def _column(self, arm: RunConfig, seed: int, probe: str, field: str) -> Values:
        key = (dataclasses.replace(arm, seed=seed), probe, field)
        if key not in self._held:
            self._held[key] = self._run(arm, seed).column(probe, field)
        return self._held[key]


def _arm(config: RunConfig) -> RunConfig:
    return dataclasses.replace(config, seed=0)


def _lengthened(values: Values, length: int) -> Values:
    if values.dtype.kind not in "fiu" or len(values) == length:
        return values
    padding = np.full((length - len(values), *values.shape[1:]), np.nan)
    return np.concatenate([values.astype(float), padding])
