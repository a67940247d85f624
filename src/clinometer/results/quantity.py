"""Quantities: a field of a probe, or one entry of it, as a number per run.

One grammar, for study files, the command line and Python: `PROBE.FIELD`, or `PROBE.FIELD.ENTRY` for one layer, block or
size; then, after a colon, what is made of the steps: `:mean` (the default), `:max`, `:min`, `:first`, `:last`, or the
mean over a part of training, `:0.5-1`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clinometer.probes.field import NAMES, Fields
from clinometer.probes.labels import Arrays, axes
from clinometer.results.finished_run import FinishedRun
from clinometer.results.run_table import Floats, RunTable, Values
from clinometer.training.config import RunConfig
from clinometer.training.errors import SpecError, check_choice

Over = str | tuple[float, float]  # a key of WINDOWS, or two shares of training

WINDOWS = {  # what can be made of the steps, and how a sentence ends that says it
    "mean": "over training",
    "max": "at its largest",
    "min": "at its smallest",
    "first": "at the start",
    "last": "at the end",
}
_SHARES = re.compile(r"(\d*\.?\d+)-(\d*\.?\d+)")
_END = {"end": "last"}


@dataclass(frozen=True)
class Quantity:
    """A number per run.

    Without an entry an array counts with all its numbers: with their mean at each step, or for `max` and `min` with the
    largest or smallest of all.

    Example:
        >>> Quantity.parse("landscape.beta"), str(Quantity.parse("train.loss:last"))
        (Quantity(probe='landscape', path='beta', over='mean'), 'train.loss:last')
        >>> Quantity.parse("internal_shift.l2.features.layer2.conv:0.5-1").window
        'from 50% to 100% of training'
    """

    probe: str
    path: str  # a field; or a field, a dot, and an entry: a layer, a block, or the position of a size
    over: Over = "mean"

    def __str__(self) -> str:
        return f"{self.name}:{self.over if isinstance(self.over, str) else '{:g}-{:g}'.format(*self.over)}"

    @property
    def name(self) -> str:
        """What it is, without what is made of the steps."""
        return f"{self.probe}.{self.path}"

    @property
    def window(self) -> str:
        """What is made of the steps, in words."""
        if isinstance(self.over, str):
            return WINDOWS[self.over]
        low, high = (f"{100 * share:g}%" for share in self.over)
        return f"from {low} to {high} of training"

    @classmethod
    def parse(cls, text: str, over: Any = None, *, key: str = "", over_key: str = "over") -> "Quantity":
        """The quantity of this name.

        Args:
            text: In the grammar above.
            over: What is made of the steps, in place of what stands after the colon: a word, or two shares of training.
            key: Where the text stands in a study file.
            over_key: Where `over` stands.

        Raises:
            SpecError: if it is none.

        Example:
            >>> Quantity.parse("train.loss", "end") == Quantity.parse("train.loss:last")
            True
            >>> Quantity.parse("train.loss:lst")
            Traceback (most recent call last):
            ...
            clinometer.training.errors.SpecError: no way to sum up steps called 'lst'; there are mean, max, min, \
first, last, 0.5-1. Did you mean 'last'?
        """
        name, colon, suffix = text.rpartition(":") if ":" in text else (text, "", "")
        probe, _, path = name.partition(".")
        if not probe or not path:
            raise SpecError(
                key,
                f"expected PROBE.FIELD or PROBE.FIELD.ENTRY, such as landscape.beta or train.loss; found {text!r}.",
            )
        if colon and over is not None:
            raise SpecError(
                over_key, f"expected nothing, since {text!r} says what is made of the steps; found {over!r}."
            )
        return cls(probe, path, _suffix(key, suffix) if colon else _over(over_key, over))

    def parts(self, row: Arrays) -> tuple[str, str]:
        """The field and the entry of it, or "": the field is the longest of the row's that the path begins with."""
        fields = [name for name in row if f"{self.path}.".startswith(f"{name}.")]
        field = max(fields, key=len, default=self.path.partition(".")[0])
        return field, self.path[len(field) + 1 :]

    def check(self, rows: Mapping[str, Arrays], key: str = "") -> None:
        """SpecError unless rows such as these have it; it says what there is.

        Args:
            rows: Probe to one of its rows.
            key: Where the quantity stands in a study file.
        """
        row = rows[check_choice("rows of a probe called", self.probe, rows, key)]
        field, entry = self.parts(row)
        check_choice(
            f"field of {self.probe} called", field, [name for name in row if row[name].dtype.kind in "fiub"], key
        )
        if entry:
            check_choice(f"entry of {self.probe}.{field} called", entry, entries(row, field), key)

    def is_in(self, run: FinishedRun) -> bool:
        """Whether a run has it."""
        return any(self._position(layout.row) is not None for layout in run.layouts.get(self.probe, ()))

    def of(self, run: FinishedRun) -> float:
        """The number of one run, from the rows that it has; NaN at the end of one that diverged, which has none."""
        if self.over == "last" and run.diverged_at is not None:
            return np.nan
        found: dict[int, float] = {}
        for layout in run.layouts[self.probe]:
            position = self._position(layout.row)
            if position is not None:
                field, _ = self.parts(layout.row)
                rows = run.rows(self.probe, field)[self.probe]
                arrays = np.stack([rows[int(step)][field] for step in layout.steps]).astype(float)
                found |= dict(zip(layout.steps.tolist(), self._per_step(arrays[:, *position]), strict=True))
        steps = np.array(sorted(found))
        total = run.config.get("steps")
        values = np.array([[found[step] for step in steps.tolist()]])
        with np.errstate(invalid="ignore", over="ignore"):  # infinite values are data
            return float(self._reduced(values, steps, total if isinstance(total, int) else int(steps[-1]) + 1)[0])

    def curve(self, table: RunTable, arm: RunConfig, seeds: Sequence[int]) -> Floats:
        """It over training, shape (seeds, steps); NaN after a run diverged."""
        row = table.row(arm, self.probe)
        field, entry = self.parts(row)
        values = table.values(arm, self.probe, field, seeds).astype(float)
        if entry:
            there = entries(row, field)
            values = values[
                :, :, there.index(check_choice(f"entry of {self.probe}.{field} called", entry, there, "quantity"))
            ]
        return (
            values
            if values.ndim == 2
            else self._per_step(values.reshape(-1, *values.shape[2:])).reshape(values.shape[:2])
        )

    def samples(self, table: RunTable, arm: RunConfig, seeds: Sequence[int]) -> Floats:
        """One number per seed, shape (seeds,); NaN where the run diverged before."""
        return self._reduced(self.curve(table, arm, seeds), table.steps(arm, self.probe), arm.steps)

    def _position(self, row: Arrays) -> tuple[int, ...] | None:
        """Where in the field's array it stands, or None if the row lacks it."""
        field, entry = self.parts(row)
        if field not in row or row[field].dtype.kind not in "fiub":
            return None
        if not entry:
            return ()
        there = entries(row, field)
        return (there.index(entry),) if entry in there else None

    def _per_step(self, values: Floats) -> Floats:
        """A number at each step, (steps,), from all of an array's, (steps, ...)."""
        flat = values.reshape(len(values), -1)
        return flat.max(1) if self.over == "max" else flat.min(1) if self.over == "min" else flat.mean(1)

    def _reduced(self, values: Floats, steps: Values, total: int) -> Floats:
        """A number per run, (runs,), from one at each of these steps, (runs, steps), of so many in total."""
        if self.over in ("first", "last"):
            return values[:, 0 if self.over == "first" else -1]
        if self.over in ("max", "min"):
            return values.max(1) if self.over == "max" else values.min(1)
        low, high = (0.0, 1.0) if isinstance(self.over, str) else self.over
        chosen = (steps >= low * total) & (steps < high * total)
        if not chosen.any():
            raise SpecError("", f"no row of {self.probe} lies {self.window}")
        return values[:, chosen].mean(1)


def entries(row: Arrays, field: str) -> list[str]:
    """The entries along the first axis of a field: names, or positions."""
    named = axes(row, field)
    return [str(each) for each in named[0][1]] if named else []


def curve_fields(fields: Fields) -> list[str]:
    """The fields that a figure shows as curves over training: numbers, and lists with one per layer or block."""
    shapes = ((), *((axis,) for axis in NAMES))
    return [name for name, f in fields.items() if f.drawing in ("line", "lower", "upper") and f.axes in shapes]


def _suffix(key: str, text: str) -> Over:
    if shares := _SHARES.fullmatch(text):
        return _over(key, [float(shares[1]), float(shares[2])])
    check_choice("way to sum up steps called", text, [*WINDOWS, "0.5-1"], key)
    return text


def _over(key: str, over: Any) -> Over:
    if over is None or over in ([0, 1], (0, 1)):
        return "mean"
    if isinstance(over, str):
        word = _END.get(over, over)
        if word in WINDOWS:
            return word
    elif isinstance(over, list | tuple):
        shares = cast("Sequence[Any]", over)
        if len(shares) == 2 and all(type(each) in (int, float) for each in shares) and 0 <= shares[0] < shares[1] <= 1:
            return (float(shares[0]), float(shares[1]))
    expected = f"expected end, or two shares of training such as [0.5, 1], or {', '.join(WINDOWS)}"
    raise SpecError(key, f"{expected}; found {over!r}.")
