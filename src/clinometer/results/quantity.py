"""A number per run, by name: a field of a probe, and what is made of it over the steps."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.results.factors import Finished, reading
from clinometer.store import Store
from clinometer.training.config import one_of

Values = np.ndarray[Any, Any]
_NAME = re.compile(r"(?P<probe>[^.:]+)\.(?P<field>[^:]+?)(?::(?P<over>\w+))?")

OVER: Mapping[str, Callable[[Values], float]] = {  # values (steps, ...) to a number
    "mean": lambda values: float(values.mean()),
    "max": lambda values: float(values.max()),
    "min": lambda values: float(values.min()),
    "first": lambda values: float(values[0].mean()),
    "last": lambda values: float(values[-1].mean()),
}


@dataclass(frozen=True)
class Quantity:
    """A number per run.

    Example:
        >>> Quantity.named("landscape.beta"), str(Quantity.named("train.loss:last"))
        (Quantity(probe='landscape', field='beta', over='mean'), 'train.loss:last')
    """

    probe: str
    field: str
    over: str = "mean"  # a row of OVER

    def __str__(self) -> str:
        return f"{self.probe}.{self.field}:{self.over}"

    @classmethod
    def named(cls, name: str) -> "Quantity":
        """The quantity called `PROBE.FIELD`, its mean over steps, or `PROBE.FIELD:OVER`; ValueError if it is none."""
        found = _NAME.fullmatch(name)
        if not found:
            raise ValueError(f"expected PROBE.FIELD or PROBE.FIELD:{'|'.join(OVER)}; found {name!r}.")
        return cls(found["probe"], found["field"], one_of("way to sum up steps called", found["over"] or "mean", OVER))

    def is_in(self, run: Finished) -> bool:
        """Whether a run has it."""
        return any(self.field in layout.row for layout in run.layouts.get(self.probe, ()))

    def of(self, run: Finished) -> float:
        """The number of one run; NaN at the end of one that diverged, which has none."""
        if self.over == "last" and run.diverged_at is not None:
            return np.nan
        with reading(run.folder):
            store = Store(run.folder / "rows.sqlite", read_only=True)
            rows = store.rows(self.probe, self.field)[self.probe]
            store.close()
            arrays = [row[self.field].astype(float) for row in rows.values()]
        with np.errstate(invalid="ignore", over="ignore"):  # infinite values are data
            alike = len({array.shape for array in arrays}) == 1
            return OVER[self.over](np.stack(arrays) if alike else np.array([array.mean() for array in arrays]))
