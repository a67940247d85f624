"""Claims, each decided by intervals over seeds, by a rule that is written before the run."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from clinometer.results.run_table import MissingRunsError, RunTable
from clinometer.results.statistics import Interval, interval
from clinometer.studies.comparison import Comparison, Unit
from clinometer.training.config import RunConfig

Verdict = Literal["holds", "fails", "undecided"]
_NOTHING = Interval(math.nan, math.nan, math.nan, 0)
_ONE_SEED = "An interval needs at least two seeds."
Variants = Mapping[str, RunConfig]  # a declared study's variants by name, or the configs that a paper's variants vary
Looks = Mapping[str, Sequence[int]]  # a part's name to the numbers of seeds with which it was looked at before


@dataclass(frozen=True)
class Evidence:
    """What a claim's function finds in the runs: comparisons, without a verdict. The first one is the headline."""

    parts: tuple[Comparison, ...]  # all of them count
    note: str = ""  # what a reader must know beside the numbers, such as how far the networks had trained
    beside: tuple[Comparison, ...] = ()  # further comparisons, which are shown and do not count


@dataclass(frozen=True)
class Part:
    """A comparison that was judged."""

    name: str
    interval: Interval  # of the centre, on the scale on which the samples are compared
    verdict: Verdict
    effect: Interval  # the same in the unit in which it is told
    unit: str = ""
    bounds: tuple[float, float] = (-math.inf, math.inf)  # in that unit
    samples: tuple[float, ...] = ()  # in that unit, one per seed
    p: float = math.nan  # two-sided, of the end of the bounds that decides, with all looks paid for
    looks: tuple[int, ...] = ()  # the numbers of seeds at which it was looked at, this look included
    remark: str = ""  # such as "2 distinct values"


@dataclass(frozen=True)
class Finding:
    """The outcome of a claim; its first part is the headline."""

    parts: tuple[Part, ...]
    note: str = ""
    beside: tuple[Part, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """`holds` if all parts hold, `fails` if one fails, else `undecided`."""
        verdicts = {part.verdict for part in self.parts}
        if "fails" in verdicts:
            return "fails"
        return "holds" if verdicts == {"holds"} else "undecided"


@dataclass(frozen=True)
class Claim:
    """A statement of a paper or of a user's study, and the rule that decides it."""

    id: str
    statement: str
    source: str  # where it is stated
    rule: str  # in words, what `compare` does
    figures: tuple[str, ...]  # the figures whose runs it needs; of a declared study, all runs where it names none
    compare: Callable[[RunTable, Variants], Evidence | Finding]  # a finding that was kept is given as it is
    bounds: Mapping[str, float] = field(default_factory=dict[str, float])  # the numbers of the rule, by name


def decide(claim: Claim, runs: RunTable, variants: Variants, looks: Looks | None = None) -> Finding:
    """A claim's finding; undecided, with the reason, where a run that it needs is missing.

    What is not finite, of a dead or diverged run, leaves its part undecided.

    Args:
        claim: What is claimed.
        runs: The finished runs.
        variants: As the claim's function takes them.
        looks: Earlier looks at the same seeds, fewer of them; they are paid for.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        try:
            evidence = claim.compare(runs, variants)
        except MissingRunsError as missing:
            return undecided(str(missing))
    if isinstance(evidence, Finding):
        return evidence
    if not evidence.parts:
        return undecided(evidence.note)
    finding = judge(evidence, looks or {})
    if finding.verdict == "undecided" and any(part.interval.n == 1 for part in finding.parts):
        return replace(finding, note=f"{finding.note} {_ONE_SEED}".strip())
    return finding


def no_evidence(reason: str) -> Evidence:
    """Evidence without numbers: the runs that are there cannot tell."""
    return Evidence((), reason)


def judge(evidence: Evidence, looks: Looks | None = None) -> Finding:
    """Judge each comparison of some evidence."""
    judged = [
        tuple(judge_part(each, (looks or {}).get(each.name, ())) for each in comparisons)
        for comparisons in (evidence.parts, evidence.beside)
    ]
    return Finding(judged[0], evidence.note, judged[1])


def judge_part(comparison: Comparison, looks: Sequence[int] = ()) -> Part:
    """Judge one comparison; without samples it is undecided."""
    found = interval(comparison.samples) if comparison.samples else _NOTHING
    verdict: Verdict = "undecided"
    if found.low > comparison.low and found.high < comparison.high:
        verdict = "holds"
    elif found.high < comparison.low or found.low > comparison.high:
        verdict = "fails"
    unit = comparison.unit
    return Part(
        comparison.name,
        found,
        verdict,
        _in_unit(found, unit),
        unit.name,
        (_shown(comparison.low, unit), _shown(comparison.high, unit)),
        tuple(unit.shown(value) for value in comparison.samples),
        looks=tuple(sorted({*looks, found.n})),
    )


def undecided(reason: str) -> Finding:
    """A finding without numbers, and why there are none."""
    return Finding((Part("not measured", _NOTHING, "undecided", _NOTHING),), reason)


def _in_unit(found: Interval, unit: Unit) -> Interval:
    return Interval(unit.shown(found.value), _shown(found.low, unit), _shown(found.high, unit), found.n)


def _shown(end: float, unit: Unit) -> float:
    """An end of an interval or of the bounds; one that is not finite stays, as there is no end then."""
    return unit.shown(end) if math.isfinite(end) else end
