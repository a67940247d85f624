"""What claims and figures say of a run: a field of a probe, over a part of training, as one number per seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinometer.probes.labels import NAMES, axes
from clinometer.results.runs import Floats, Runs
from clinometer.training.config import RunConfig
from clinometer.training.errors import SpecError, known

Fields = Mapping[str, np.ndarray[Any, Any]]  # of one row


@dataclass(frozen=True)
class Quantity:
    """A field of a probe's rows, and when: `over` are shares of training, `end` is the last row."""

    probe: str
    field: str
    entry: str = ""  # of an array: a layer, a block, or the position of a size; the mean over all by default
    over: tuple[float, float] | None = (0.0, 1.0)  # None: the last row

    @property
    def name(self) -> str:
        """As the study wrote it."""
        return ".".join(part for part in (self.probe, self.field, self.entry) if part)

    @property
    def window(self) -> str:
        """When, in words."""
        if self.over is None:
            return "at the end"
        low, high = (f"{100 * share:g}%" for share in self.over)
        return "over training" if self.over == (0.0, 1.0) else f"from {low} to {high} of training"

    def samples(self, runs: Runs, arm: RunConfig, seeds: Sequence[int]) -> Floats:
        """One number per seed, shape (seeds,); NaN where the run diverged before."""
        values = curves(runs, arm, self.probe, self.field, seeds, self.entry)
        if self.over is None:
            return values[:, -1]
        steps = runs.steps(arm, self.probe)
        low, high = (share * arm.steps for share in self.over)
        chosen = (steps >= low) & (steps < high)
        if not chosen.any():
            raise SpecError("", f"no row of {self.probe} lies {self.window}")
        return values[:, chosen].mean(1)

    def check(self, key: str, rows: Mapping[str, Fields]) -> None:
        """SpecError unless rows such as these hold it."""
        row = rows[known(key, "rows of a probe called", self.probe, rows)]
        known(key, f"field of {self.probe} called", self.field, [name for name in row if is_number(row, name)])
        array = row[self.field]
        if array.ndim > 1:
            raise SpecError(key, f"{self.probe}.{self.field} has {array.ndim} axes; expected a number, or a list.")
        if self.entry:
            known(key, f"entry of {self.probe}.{self.field} called", self.entry, entries(row, self.field))


def quantity_of(key: str, text: str, over_key: str = "over", over: Any = None) -> Quantity:
    """A quantity from `probe.field` or `probe.field.entry`, and a part of training.

    Example:
        >>> quantity_of("claims[0].quantity", "internal_shift.l2.features.0", over="end").window
        'at the end'
    """
    probe, _, rest = text.partition(".")
    field, _, entry = rest.partition(".")
    if not probe or not field:
        raise SpecError(key, f"expected probe.field, such as landscape.beta or train.loss; found {text!r}.")
    return Quantity(probe, field, entry, _over(over_key, over))


def _over(key: str, over: Any) -> tuple[float, float] | None:
    if over is None:
        return (0.0, 1.0)
    if over == "end":
        return None
    numbers = isinstance(over, list | tuple) and len(over) == 2 and all(type(each) in (int, float) for each in over)
    if not numbers or not 0 <= over[0] < over[1] <= 1:
        raise SpecError(key, f"expected end, or two shares of training such as [0.5, 1]; found {over!r}.")
    return (float(over[0]), float(over[1]))


def curves(runs: Runs, arm: RunConfig, probe: str, field: str, seeds: Sequence[int], entry: str = "") -> Floats:
    """A field over training, shape (seeds, steps): the mean over what else it has, or one entry of it."""
    values = runs.values(arm, probe, field, seeds).astype(float)
    if values.ndim == 2:
        return values
    if entry:
        there = entries(runs.row(arm, probe), field)
        values = values[:, :, there.index(known("quantity", f"entry of {probe}.{field} called", entry, there))]
        return values.reshape(*values.shape[:2], -1).mean(2)
    return values.reshape(*values.shape[:2], -1).mean(2)


def entries(row: Fields, field: str) -> list[str]:
    """What the first axis of a field stands for: names, or positions."""
    named = axes(row, field)
    return [str(each) for each in named[0][1]] if named else []


def is_number(row: Fields, field: str) -> bool:
    """Whether a field is a measurement of its own: a number, or one for each layer, block or size."""
    array = row[field]
    if array.dtype.kind not in "fiub" or array.ndim > 1:
        return False
    return not array.ndim or axes(row, field)[0][0] in (*NAMES, "size")


def drawn(row: Fields) -> list[str]:
    """The fields that have a curve over training: numbers, and the mean over layers or blocks."""
    return [name for name in row if is_number(row, name) and (not row[name].ndim or axes(row, name)[0][0] in NAMES)]
