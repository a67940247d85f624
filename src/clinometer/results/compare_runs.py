"""Compares runs that recorders wrote: what they are, what each number came to, and whether beyond the noise.

Two runs are compared step by step; several runs a side by what each came to.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.results.block_moves import BlockMoves, block_moves
from clinometer.results.compared import Compared, compared, judged
from clinometer.results.curves import Curve, RecordedRun, Values, compared_by_default, curves_of, read_sides
from clinometer.results.run_settings import setting_differences
from clinometer.results.sides import Given, sides_of

Sides = tuple[tuple[RecordedRun, ...], tuple[RecordedRun, ...]]
Curves = Sequence[Mapping[str, Curve]]  # of each run of a side


@dataclass(frozen=True)
class RunComparison:
    """Two sides, of one run or several each."""

    names: tuple[str, str]
    runs: Sides
    settings: Mapping[str, tuple[str, str]]  # what the runs are, where it differs
    common: tuple[int, int]  # the first and the last step that all runs measured
    window: tuple[int, int]  # of the steps that are compared
    compared: tuple[Compared, ...]
    blocks: tuple[BlockMoves, ...]
    broken: tuple[str, ...]  # the runs whose loss was no finite number somewhere, and from which step, in words
    remarks: tuple[str, ...]  # what else a reader must know before the numbers

    def __repr__(self) -> str:
        counts = " and ".join(str(len(side)) for side in self.runs)
        told = ", ".join(f"{each.curve.name} {each.verdict}" for each in self.compared) or "nothing to compare"
        first, last = self.window
        return f"{self.names[1]} against {self.names[0]}, {counts} runs, steps {first} to {last}: {told}"

    @property
    def folders(self) -> tuple[str, str]:
        """The folders of each side, in words."""
        one, other = (", ".join(str(run.folder) for run in side) for side in self.runs)
        return one, other

    @property
    def several(self) -> bool:
        """Whether there are several runs a side."""
        return len(self.runs[0]) > 1


def compare_runs(given: Given, quantities: Sequence[str] = (), over: tuple[float, float] = (0.5, 1.0)) -> RunComparison:
    """Compare two runs, or two kinds of runs: the first name is the base, the second is held against it.

    Args:
        given: Two names, and for each a recorder's folder, or a list of them, one for each seed.
        quantities: As PROBE.FIELD; by default the headline numbers of which it is known which direction is worse.
        over: The share of the steps that both measured which is compared; the second half by default, past the start.

    Raises:
        ValueError: if there are not two sides, one has several runs and the other has one, a folder is no run's, no
            step is common to all runs, or a run lacks a quantity.
    """
    if len(given) != 2:
        raise ValueError(f"two sides are compared; found {len(given)}: {', '.join(map(str, given)) or 'none'}.")
    if not 0 <= over[0] < over[1] <= 1:
        raise ValueError(f"expected two shares of the steps, such as 0.5 and 1; found {over[0]:g} and {over[1]:g}.")
    sides = sides_of(given)
    (one, ours), (other, theirs) = sides.items()
    if min(len(ours), len(theirs)) == 1 < max(len(ours), len(theirs)):
        raise ValueError(
            f"{one!r} has {len(ours)} and {other!r} {len(theirs)} runs: the noise between seeds is not known of one "
            "run. Give one run to each, or two or more to each."
        )
    read = read_sides(sides)
    runs = (tuple(read[one]), tuple(read[other]))
    curves = ([curves_of(run) for run in runs[0]], [curves_of(run) for run in runs[1]])
    for side in zip(runs, curves, strict=True):
        _refuse_copies(*side)
    wanted = _wanted(quantities, [*curves[0], *curves[1]])
    common = _common([*runs[0], *runs[1]])
    window = _window(common, over)
    found = judged([compared(name, (one, other), curves, common, window) for name in wanted])
    return RunComparison(
        names=(one, other),
        runs=runs,
        settings=setting_differences(*runs),
        common=(int(common[0]), int(common[-1])),
        window=window,
        compared=tuple(found),
        blocks=tuple(block_moves(runs, common)),
        broken=tuple(_broken((one, other), runs, curves)),
        remarks=tuple(_remarks((one, other), runs, common)),
    )


def _refuse_copies(runs: Sequence[RecordedRun], curves: Curves) -> None:
    """ValueError if two runs of a side are one: a copy is not another seed."""
    for (run, ours), (other, theirs) in itertools.combinations(zip(runs, curves, strict=True), 2):
        if ours.keys() == theirs.keys() and all(_equal(ours[name], theirs[name]) for name in ours):
            raise ValueError(
                f"{run.folder} and {other.folder} hold the same numbers at every step: a copy is not another seed."
            )


def _equal(one: Curve, other: Curve) -> bool:
    return np.array_equal(one.steps, other.steps) and np.array_equal(one.values, other.values, equal_nan=True)


def _wanted(quantities: Sequence[str], runs: Sequence[Mapping[str, Curve]]) -> list[str]:
    names = list(dict.fromkeys(quantities)) or compared_by_default(runs)
    for name in names:
        if any(name not in run for run in runs):
            shared = [each for each in runs[0] if all(each in run for run in runs)]
            raise ValueError(f"not all runs have a number {name}; all have {', '.join(shared) or 'none'}.")
    return names


def _common(runs: Sequence[RecordedRun]) -> Values:
    """The steps at which all runs measured something."""
    measured = [_measured(run) for run in runs]
    for run, steps in zip(runs, measured, strict=True):
        if not len(steps):
            raise ValueError(f"{run.folder} has nothing to compare: no step was measured yet.")
    common = measured[0]
    for steps in measured[1:]:
        common = np.intersect1d(common, steps)
    if not len(common):
        spans = "; ".join(f"{r.folder}: steps {_span(s)}" for r, s in zip(runs, measured, strict=True))
        raise ValueError(
            f"no step was measured in all runs, so nothing can be compared. {spans}. Record on one schedule."
        )
    return common.astype(int)


def _measured(run: RecordedRun) -> Values:
    return np.unique(np.concatenate([np.array([], int), *(table["step"] for table in run.tables.values())]))


def _span(steps: Values) -> str:
    gaps = np.diff(steps)
    every = f", every {int(gaps[0])}" if len(gaps) and (gaps == gaps[0]).all() else ""
    return f"from {int(steps[0])} to {int(steps[-1])}{every}"


def _window(common: Values, over: tuple[float, float]) -> tuple[int, int]:
    first, last = float(common[0]), float(common[-1])
    inside = common[(common >= first + over[0] * (last - first)) & (common <= first + over[1] * (last - first))]
    return (int(inside[0]), int(inside[-1])) if len(inside) else (int(first), int(last))


def _broken(names: tuple[str, str], runs: Sides, curves: Sequence[Curves]) -> Iterator[str]:
    """Runs that diverged, or lost their loss."""
    for name, side, found in zip(names, runs, curves, strict=True):
        for run, of in zip(side, found, strict=True):
            lost = [curve.steps[~np.isfinite(curve.values)] for curve in of.values() if curve.is_loss]
            if steps := [int(each[0]) for each in lost if len(each)]:
                yield f"{_called(name, side, run)} lost its loss at step {min(steps)}"


def _remarks(names: tuple[str, str], runs: Sides, common: Values) -> Iterator[str]:
    """Which runs measured more than all have in common, as where another ended early."""
    for name, side in zip(names, runs, strict=True):
        for run in side:
            measured = _measured(run)
            if len(measured) > len(common):
                which = _called(name, side, run)
                yield f"{which} measured {len(measured)} steps, {_span(measured)}; {len(common)} of them are common."


def _called(name: str, side: Sequence[RecordedRun], run: RecordedRun) -> str:
    return name if len(side) == 1 else f"{name} ({run.folder.name})"
