"""Trainers: the functions that a config's `trainer` names. `clinometer.training.loop:train` is the default one.

A trainer is a function of (runs, device), where `runs` maps each config to its `Keeper`: the run's folder, and the
checkpoint to go on from. It writes each run's rows into `keeper.run`. One call gets one run; a trainer marked by
`seeds_together` gets all runs of a study that differ in their seed alone, and may compute them in one go. One that
reads settings itself, which no function of the config takes, says so by `reads_settings` (`own_settings.py`).
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from clinometer.training.config import RunConfig
from clinometer.training.imports import followed
from clinometer.training.keeper import Keeper

Condition = Callable[[RunConfig], bool]
_MARK = "seeds_together"


class Trainer(Protocol):
    """A function that makes runs."""

    def __call__(self, runs: Mapping[RunConfig, Keeper], device: str = "cpu", /) -> None:
        """Train each config's network, with its rows in its keeper's folder."""
        ...


def trainer_of(config: RunConfig) -> Trainer:
    """The trainer of a config; SpecError if it cannot be imported."""
    return followed("trainer", config.trainer)


def seeds_together(when: Condition) -> Callable[[Trainer], Trainer]:
    """Mark a trainer: runs that differ in their seed alone are given to it in one call, where `when` is true."""

    def mark(trainer: Trainer) -> Trainer:
        setattr(trainer, _MARK, when)
        return trainer

    return mark


def trains_seeds_together(config: RunConfig) -> bool:
    """Whether runs that differ from this one in their seed alone are made by one call of its trainer."""
    when: Condition | None = getattr(trainer_of(config), _MARK, None)
    return when is not None and when(config)
