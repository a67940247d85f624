"""Extras: what else a study can make of its finished runs, beside claims, figures and its page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinometer.results.run_table import RunTable
from clinometer.training.config import Bases, RunConfig


@dataclass(frozen=True)
class Extra:
    """Files of a study's own, such as sounds: `clinometer reproduce PAPER --NAME` writes them."""

    about: str  # what it writes, for `clinometer list PAPER`
    arms: Callable[[Bases], Sequence[RunConfig]]  # whose runs it needs
    write: Callable[[RunTable, Bases, Path], Sequence[Path]]  # into a folder that is there; the files that it wrote
