"""Compares two studies: which runs are identical bit for bit, at which step the others part, and how much they differ.

The studies may come from two machines, versions of torch or of the code, or be different ones with arms in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clinometer.readable.results import readable
from clinometer.results.claims_file import NAME, read_claims
from clinometer.results.factors import fields, order
from clinometer.results.finished_run import FinishedRun, Rows, find_runs, is_study
from clinometer.results.quantity import Arrays, Quantity
from clinometer.results.statistics import Interval, interval
from clinometer.store import Table
from clinometer.training.errors import SpecError

DEFAULT = ("train.loss:last", "test.accuracy:last", "landscape.beta", "headroom.loss")


@readable
@dataclass(frozen=True)
class Pair:
    """A config in both studies, and its two runs."""

    arm: str  # the config less its seed, as far as arms differ
    one: FinishedRun
    other: FinishedRun
    parts_at: int | None  # the first step at which their rows differ; None if they never do


@readable
@dataclass(frozen=True)
class Difference:
    """The difference of a quantity of an arm, second study minus first, over the seeds that both have."""

    arm: str
    quantity: str
    one: float  # the mean in the first
    other: float  # the mean in the second
    difference: Interval


@readable
@dataclass(frozen=True)
class Comparison:
    """The runs that two studies have in common, and how they differ."""

    pairs: tuple[Pair, ...]
    alone: tuple[int, int]  # how many runs of each have no counterpart
    unshared: tuple[str, ...]  # the config's fields that only one of them has
    differences: tuple[Difference, ...]  # of arms with a pair that is not identical
    versions: Mapping[str, tuple[str, str]]  # of what the pairs were made with, where it differs
    verdicts: Mapping[str, tuple[str, str]]  # of claims; empty unless both have been decided


def compare(one: Path, other: Path, quantities: Sequence[str] = ()) -> Comparison:
    """Compare the finished runs that two studies have in common.

    Two runs are a pair if their configs agree in all fields that both studies have. Numbers are compared seed by seed:
    the interval is Student's t on the paired differences.

    Args:
        one: A study's folder.
        other: Another.
        quantities: In the grammar of `results.quantity`, such as `landscape.beta` or `train.loss:last`; by default
            those of `DEFAULT` that a run has.

    Raises:
        ValueError: if a folder is no study, no run has a quantity, or a run is damaged.
    """
    for path in (one, other):
        if not is_study(path):
            raise ValueError(f"{path} is no study's folder: expected one that `clinometer` made.")
    runs, others = _runs(one), _runs(other)
    wanted = [Quantity.parse(name) for name in quantities or DEFAULT]
    for quantity in wanted if quantities else ():
        _check_there(quantity, [*runs, *others])
    pairs, unshared = _pairs(runs, others)
    return Comparison(
        pairs=tuple(pairs),
        alone=(len(runs) - len(pairs), len(others) - len(pairs)),
        unshared=tuple(unshared),
        differences=tuple(_differences(pairs, wanted)),
        versions=_versions(pairs),
        verdicts=_verdicts(one, other),
    )


def parts_at(one: Rows, other: Rows) -> int | None:
    """The first step at which two runs' rows are not the same bit for bit, or None.

    Example:
        >>> same, less = ({"train": {0: {"loss": np.array(2.5)}, 1: {"loss": np.array(x)}}} for x in (0.0, -0.0))
        >>> parts_at(same, same), parts_at(same, less), parts_at(same, {})
        (None, 1, 0)
    """
    steps: set[int] = set()
    for probe in {*one, *other}:
        ours, theirs = one.get(probe, {}), other.get(probe, {})
        steps.update(step for step in {*ours, *theirs} if _bits(ours.get(step)) != _bits(theirs.get(step)))
    return min(steps, default=None)


def _runs(study: Path) -> list[FinishedRun]:
    """The finished runs of a study in the order of their configs; ValueError if one is damaged."""
    runs = find_runs(study).intact()
    return [runs[position] for position in order([run.config for run in runs])]


def _bits(row: Table | None) -> Any:
    return row and {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in row.items()}


def _pairs(runs: Sequence[FinishedRun], others: Sequence[FinishedRun]) -> tuple[list[Pair], list[str]]:
    """The runs whose configs agree in the fields that both studies have, and the names of those that one has."""
    columns = fields([run.config for run in (*runs, *others)])
    ours, theirs = ({n for n, of in columns.items() if any(v is not None for v in of[part])} for part in _halves(runs))
    shared = [name for name in columns if name in ours & theirs]
    told = list(zip(*(columns[name] for name in shared), strict=True)) if shared else [()] * (len(runs) + len(others))
    found, counterparts = (_unique(told[part]) for part in _halves(runs))
    common = [which for which in found if which in counterparts]
    telling = _telling([dict(zip(shared, which, strict=True)) for which in common])
    pairs: list[Pair] = []
    for which in common:
        named = dict(zip(shared, which, strict=True))
        arm = ", ".join(f"{name} {named[name]}" for name in telling) or "all runs"
        one, other = runs[found[which]], others[counterparts[which]]
        parting = parts_at(one.rows(), other.rows())
        pairs.append(Pair(arm, one, other, parting))
    return pairs, sorted(ours ^ theirs)


def _telling(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields that tell arms apart: each that does so where those before it do not."""
    chosen: list[str] = []
    for name in (name for name in (configs[0] if configs else ()) if name != "seed"):
        before = {tuple(repr(config[each]) for each in chosen) for config in configs}
        after = {tuple(repr(config[each]) for each in (*chosen, name)) for config in configs}
        chosen += [name] if len(after) > len(before) else []
    return chosen


def _halves(runs: Sequence[FinishedRun]) -> tuple[slice, slice]:
    return slice(None, len(runs)), slice(len(runs), None)


def _unique(told: Sequence[Any]) -> dict[Any, int]:
    """What is told of one run only, and which run that is; where two cannot be told apart neither has a counterpart."""
    return {which: number for number, which in enumerate(told) if told.count(which) == 1}


def _check_there(quantity: Quantity, runs: Sequence[FinishedRun]) -> None:
    if any(quantity.is_in(run) for run in runs):
        return
    rows: dict[str, Arrays] = {}
    for probe, layouts in (each for run in runs for each in run.layouts.items()):
        rows.setdefault(probe, layouts[0].row)
    try:
        quantity.check(rows)
    except SpecError as error:
        raise ValueError(f"no run has {quantity.name}: {error}") from error


def _differences(pairs: Sequence[Pair], quantities: Sequence[Quantity]) -> list[Difference]:
    found: list[Difference] = []
    for arm in dict.fromkeys(pair.arm for pair in pairs if pair.parts_at is not None):
        here = [pair for pair in pairs if pair.arm == arm]
        for quantity in quantities:
            both = [pair for pair in here if quantity.is_in(pair.one) and quantity.is_in(pair.other)]
            ours = np.array([quantity.of(pair.one) for pair in both])
            theirs = np.array([quantity.of(pair.other) for pair in both])
            if both:
                with np.errstate(invalid="ignore"):  # infinite in both: NaN, and so no interval
                    apart = interval(theirs - ours)
                found.append(Difference(arm, str(quantity), float(ours.mean()), float(theirs.mean()), apart))
    return found


def _versions(pairs: Sequence[Pair]) -> dict[str, tuple[str, str]]:
    ours, theirs = [pair.one.versions for pair in pairs], [pair.other.versions for pair in pairs]
    names = dict.fromkeys(name for environment in (*ours, *theirs) for name in environment)
    said = {n: (_said(e.get(n) for e in ours), _said(e.get(n) for e in theirs)) for n in names}
    return {name: both for name, both in said.items() if both[0] != both[1]}


def _said(values: Any) -> str:
    return " or ".join(dict.fromkeys(str(value) for value in values)) or "unknown"


def _verdicts(one: Path, other: Path) -> dict[str, tuple[str, str]]:
    ours, theirs = (_decided(path / NAME) for path in (one, other))
    if not ours or not theirs:
        return {}
    return {claim: (ours.get(claim, "not decided"), theirs.get(claim, "not decided")) for claim in {**ours, **theirs}}


def _decided(path: Path) -> dict[str, str]:
    """Each claim's verdict, from the file that a report wrote; none if there is no such."""
    try:
        return {row["id"]: row["verdict"] for row in read_claims(path)}
    except OSError:
        return {}
