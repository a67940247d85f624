"""Claims, each decided by intervals over seeds, by a rule that is written before the run."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from clinometer.readable.results import readable
from clinometer.results.run_table import MissingRunsError, RunTable
from clinometer.results.sequential import LEVEL
from clinometer.results.statistics import Interval
from clinometer.studies.comparison import Comparison, Unit
from clinometer.studies.estimate import NOTHING, estimate
from clinometer.training.config import RunConfig

Verdict = Literal["holds", "fails", "undecided"]
_ONE_SEED = "An interval needs at least two seeds."
Variants = Mapping[str, RunConfig]  # a declared study's variants by name, or the configs that a paper's variants vary
Looks = Mapping[str, Sequence[int]]  # a part's name to the numbers of seeds with which it was looked at before


@readable
@dataclass(frozen=True)
class Evidence:
    """What a claim's function finds in the runs: comparisons, without a verdict. The first one is the headline."""

    parts: tuple[Comparison, ...]  # all of them count
    note: str = ""  # what a reader must know beside the numbers, such as how far the networks had trained
    beside: tuple[Comparison, ...] = ()  # further comparisons, which are shown and do not count


@readable
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

    @property
    def inside(self) -> bool:
        """Whether the estimate lies between the bounds; of one that holds it does, also where it is infinite."""
        low, high = self.bounds
        return self.verdict == "holds" or (_above(self.effect.value, low) and _below(self.effect.value, high))


@readable
@dataclass(frozen=True)
class Finding:
    """The outcome of a claim; its first part is the headline."""

    parts: tuple[Part, ...]
    note: str = ""
    beside: tuple[Part, ...] = ()
    seeds_needed: Mapping[str, int | None] | None = None  # to decide it: "likely" and "cautious"; None if not known

    @property
    def verdict(self) -> Verdict:
        """`holds` if all parts hold, `fails` if one fails although as many were tried as there are, else `undecided`.

        That all hold needs no correction: if the claim is false one of them is, and that one must be taken for true,
        which happens in at most 5% (Berger, 1982: an intersection-union test). Any of m parts may fail by chance, so
        one must fail at 5%/m.
        """
        if all(part.verdict == "holds" for part in self.parts):
            return "holds"
        return "fails" if self._p_of_failure <= LEVEL else "undecided"

    @property
    def p(self) -> float:
        """The smallest level at which the claim is decided: at most 0.05 where it is; NaN where nothing was tested."""
        ps = [part.p for part in self.parts]
        if all(part.inside for part in self.parts) and not any(map(math.isnan, ps)):
            return max(ps)
        return self._p_of_failure

    @property
    def _p_of_failure(self) -> float:
        """That of the part that lies outside most clearly, times the number of parts; NaN where no part was tested."""
        tested = [part for part in self.parts if not math.isnan(part.p)]
        outside = [part.p * len(self.parts) for part in tested if not part.inside]
        return min([1.0, *outside]) if tested else math.nan


@readable
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
    # The arms that it compares; by default all of its figures. A rule's own method, which equals itself alone.
    arms: Callable[[Variants], Sequence[RunConfig]] | None = field(default=None, compare=False)


def decide(claim: Claim, runs: RunTable, variants: Variants, looks: Looks | None = None) -> Finding:
    """A claim's finding; undecided, with the reason, where a run that it needs is missing.

    What is not finite, of a dead or diverged run, leaves its part undecided.

    Args:
        claim: What is claimed.
        runs: The finished runs.
        variants: As the claim's function takes them.
        looks: Earlier looks at the same seeds, fewer of them; they are paid for.
    """
    return finding_of(evidence_of(claim, runs, variants), looks)


def evidence_of(claim: Claim, runs: RunTable, variants: Variants) -> Evidence | Finding:
    """What a claim's function finds in the runs; no evidence, with the reason, where a run that it needs is missing."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        try:
            return claim.compare(runs, variants)
        except MissingRunsError as missing:
            return no_evidence(str(missing))


def finding_of(evidence: Evidence | Finding, looks: Looks | None = None) -> Finding:
    """The finding that some evidence leads to, with earlier looks paid for; one that was kept is given as it is."""
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
    """Judge one comparison by its interval; without samples it is undecided.

    Args:
        comparison: Its samples and bounds.
        looks: Numbers of seeds at which it was looked at before.

    Example:
        >>> from clinometer.studies.comparison import above
        >>> judge_part(above("difference", [1.0, 1.1, 0.9, 1.0, 1.2])).verdict
        'holds'
    """
    found, unit = estimate(comparison, looks), comparison.unit
    return Part(
        comparison.name,
        found.interval,
        _verdict(comparison, found.interval),
        _in_unit(found.interval, unit),
        unit.name,
        (_shown(comparison.low, unit), _shown(comparison.high, unit)),
        tuple(unit.shown(value) for value in comparison.samples),
        found.p,
        found.looks,
        found.remark,
    )


def undecided(reason: str) -> Finding:
    """A finding without numbers, and why there are none."""
    return Finding((Part("not measured", NOTHING, "undecided", NOTHING),), reason)


def _verdict(comparison: Comparison, found: Interval) -> Verdict:
    if _above(found.low, comparison.low) and _below(found.high, comparison.high):
        return "holds"
    return "fails" if found.high < comparison.low or found.low > comparison.high else "undecided"


def _in_unit(found: Interval, unit: Unit) -> Interval:
    return Interval(unit.shown(found.value), _shown(found.low, unit), _shown(found.high, unit), found.n)


def _shown(end: float, unit: Unit) -> float:
    """An end of an interval or of the bounds; one that is not finite stays, as there is no end then."""
    return unit.shown(end) if math.isfinite(end) else end


def _above(value: float, low: float) -> bool:
    """Whether a value, which may be infinite as a bound may be, is above it; NaN is above none."""
    return value > low or (low == -math.inf and not math.isnan(value))


def _below(value: float, high: float) -> bool:
    return _above(-value, -high)
