"""One number of two sides: what it came to in each, how far apart they are, and whether that is beyond the noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from clinometer.results.curves import Curve, Scale, Values
from clinometer.results.run_difference import Difference, over_runs, over_steps
from clinometer.results.statistics import holm

Verdict = Literal["better", "worse", "higher", "lower", "no difference seen", "undecided"]
Pair = tuple[float, float]

SAME = "the same at every step"
_NAN_SHARE = 0.05  # of the steps at which one run has a number and the other has none, up to which they are left out
_LEVEL = 0.05
_FLOOR = "noise_floor.loss"


@dataclass(frozen=True)
class Compared:
    """One number of both sides over the window, and its difference: `mine` less `base`, or as a factor."""

    curve: Curve  # of the first run of base: its name, label, unit, and which direction is worse
    mine_values: Values  # those of the first run of mine, at all of its steps
    scale: Scale
    base: float  # the median over the window; over several runs the mean of theirs, geometric for a factor
    mine: float
    last: Pair  # at the last step that both measured
    worst: tuple[Pair, Pair] | None  # of each side: its worst value over the common steps, and the step
    steps: int  # common steps in the window
    lower: int | None  # of them, those at which mine is lower; where there is one run a side
    difference: Difference  # as a factor where the scale is one
    adjusted: float  # the p-value by Holm's procedure over all that are compared
    verdict: Verdict
    reason: str  # in words, where the verdict needs some


Runs = Sequence[Sequence[Mapping[str, Curve]]]  # of each side, the curves of each run


def compared(name: str, names: tuple[str, str], runs: Runs, common: Values, window: tuple[int, int]) -> Compared:
    """One number of both sides, with the difference as it was found; `judged` says what it is worth.

    Args:
        name: PROBE.FIELD.
        names: Of the sides.
        runs: Of each side, the curves of each run.
        common: The steps that all runs measured.
        window: The first and the last step that are compared.
    """
    sides = [[run[name] for run in side] for side in runs]
    curves = [curve for side in sides for curve in side]
    curve = curves[0]
    steps = common
    for each in curves:
        steps = np.intersect1d(steps, each.steps)
    inside = steps[(steps >= window[0]) & (steps <= window[1])]
    scale = _scale(curves)
    values = [[each.at(inside) for each in side] for side in sides]
    found = _difference(values, scale, names)
    if len(inside) and _same(values):
        found = replace(found, p=1.0, reason=SAME)
    elif curve.is_loss and not found.reason and abs(found.value) <= (floor := _rounding(runs)):
        found = replace(found, p=1.0, reason=f"no more than rounding changes the loss by, {floor:.2g}")
    lower = int((values[1][0] < values[0][0]).sum()) if len(sides[0]) == 1 else None
    base, mine = (_typical(side, scale) for side in values)
    last = (_last(sides[0], steps), _last(sides[1], steps))
    worst = (_worst(sides[0], steps), _worst(sides[1], steps)) if curve.worst and len(steps) else None
    return Compared(
        curve=curve,
        mine_values=sides[1][0].values,
        scale=scale,
        base=base,
        mine=mine,
        last=last,
        worst=worst,
        steps=len(inside),
        lower=lower,
        difference=found,
        adjusted=np.nan,
        verdict="undecided",
        reason=found.reason,
    )


def _scale(curves: Sequence[Curve]) -> Scale:
    """Positive numbers are compared as factors; losses, accuracies and what may be negative by their difference."""
    return "difference" if curves[0].by_name or any((curve.values < 0).any() for curve in curves) else "factor"


def _difference(values: Sequence[Sequence[Values]], scale: Scale, names: tuple[str, str]) -> Difference:
    """The difference, as a factor where that is the scale."""
    with np.errstate(divide="ignore"):
        read = [[np.log(each) if scale == "factor" else each for each in side] for side in values]
    found = _apart(read, names)
    if scale == "factor":
        with np.errstate(over="ignore"):
            value, low, high = (float(np.exp(each)) for each in (found.value, found.low, found.high))
        return replace(found, value=value, low=low, high=high)
    return found


def _apart(values: Sequence[Sequence[Values]], names: tuple[str, str]) -> Difference:
    if len(values[0]) > 1:
        base, mine = ([_median(each) for each in side] for side in values)
        found = over_runs(base, mine)
    else:
        (base,), (mine,) = values
        with np.errstate(invalid="ignore"):
            found = over_steps(np.where(base == mine, 0.0, mine - base))  # infinite in both: a tie
    reason = _lacking(values, names)
    return replace(found, low=np.nan, high=np.nan, p=np.nan, reason=reason) if reason else found


def _lacking(values: Sequence[Sequence[Values]], names: tuple[str, str]) -> str:
    """Why sides cannot be compared where a run has no number, as after a divergence, and another has one; or ""."""
    missing = np.isnan(np.stack([each for side in values for each in side]))
    counts = (missing & ~missing.all(0)).sum(1)
    steps = missing.shape[1]
    if not steps or max(counts) <= _NAN_SHARE * steps:
        return ""
    owners = [name for name, side in zip(names, values, strict=True) for _ in side]
    return f"{owners[int(np.argmax(counts))]} has no number at {max(counts)} of {steps} steps"


def _same(values: Sequence[Sequence[Values]]) -> bool:
    """Whether both sides hold the same numbers, run by run."""
    one, other = values
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(np.array_equal(ours, theirs, equal_nan=True) for ours, theirs in pairs)


def _rounding(runs: Runs) -> float:
    """How much rounding changes the loss, in the run where that is most; 0 where it was not recorded."""
    floors = [_median(run[_FLOOR].values) for side in runs for run in side if _FLOOR in run]
    return max(floors, default=0.0)


def _median(values: Values) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else np.nan


def _typical(side: Sequence[Values], scale: Scale) -> float:
    medians = np.array([_median(each) for each in side])
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(medians).mean())) if scale == "factor" else float(medians.mean())


def _last(side: Sequence[Curve], steps: Values) -> float:
    return float(np.mean([each.at(steps[-1:])[0] for each in side])) if len(steps) else np.nan


def _worst(side: Sequence[Curve], steps: Values) -> Pair:
    """The worst value of any run of a side over the common steps, and its step."""
    values = np.stack([each.at(steps) for each in side])
    sign = 1 if side[0].worst == "highest" else -1
    ranked = np.where(np.isnan(values), -np.inf, sign * values).max(0)
    if np.isnan(values).all():
        return np.nan, np.nan
    at = int(ranked.argmax())
    return float(sign * ranked[at]), float(steps[at])


def judged(found: Sequence[Compared]) -> list[Compared]:
    """Each with its verdict, all p-values being adjusted together."""
    adjusted = holm([each.difference.p for each in found])
    count = int(np.isfinite(adjusted).sum())
    return [_verdict(each, p, count) for each, p in zip(found, adjusted, strict=True)]


def _verdict(found: Compared, p: float, count: int) -> Compared:
    if np.isnan(p):
        return replace(found, adjusted=p)
    if p >= _LEVEL:
        reason = found.reason
        if found.difference.p < _LEVEL:
            reason = f"beyond it by itself, but not with {count} numbers looked at"
        return replace(found, adjusted=p, verdict="no difference seen", reason=reason)
    rises = found.difference.value > (1 if found.scale == "factor" else 0)
    if not found.curve.worst:
        return replace(found, adjusted=p, verdict="higher" if rises else "lower")
    worse = rises == (found.curve.worst == "highest")
    return replace(found, adjusted=p, verdict="worse" if worse else "better")
