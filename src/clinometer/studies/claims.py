"""Claims, each decided by an interval over seeds, by a rule that is written before the run."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clinometer.results.run_table import MissingRunsError, RunTable
from clinometer.results.statistics import Interval, interval, sign_flip_p
from clinometer.training.config import RunConfig

Verdict = Literal["holds", "fails", "undecided"]
_ONE_SEED = "An interval needs at least two seeds."
Variants = Mapping[str, RunConfig]  # a declared study's variants by name, or the configs that a paper's variants vary


@dataclass(frozen=True)
class Part:
    """One comparison: it holds where its whole interval lies on the right side of the bound."""

    name: str
    interval: Interval
    verdict: Verdict
    p: float = math.nan  # of the exact sign-flip test that the samples centre on the bound; it never decides


@dataclass(frozen=True)
class Finding:
    """The outcome of a claim; its first part is the headline."""

    parts: tuple[Part, ...]
    note: str = ""  # what a reader must know beside the numbers, such as how far the networks had trained
    beside: tuple[Part, ...] = ()  # further comparisons, which are shown and do not count

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
    rule: str  # in words, what `decide` does
    figures: tuple[str, ...]  # the figures whose runs it needs; of a declared study, all runs where it names none
    decide: Callable[[RunTable, Variants], Finding]


def above(name: str, samples: ArrayLike, bound: float = 0.0) -> Part:
    """The part "the mean is larger than `bound`".

    Args:
        name: What is compared.
        samples: One per seed, shape (n,).
        bound: 0 for a difference; minus a margin for "not smaller by more than".

    Example:
        >>> above("difference", [1.0, 1.1, 0.9]).verdict, above("difference", [1.0]).verdict
        ('holds', 'undecided')
    """
    found = interval(samples)
    verdict: Verdict = "undecided"
    if found.low > bound:
        verdict = "holds"
    elif found.high < bound:
        verdict = "fails"
    return Part(name, found, verdict, _sign_flip(samples, bound))


def below(name: str, samples: ArrayLike, bound: float = 0.0) -> Part:
    """The part "the mean is smaller than `bound`".

    Example:
        >>> below("difference", [1.0, 1.1, 0.9], bound=2.0).verdict
        'holds'
    """
    opposite: dict[Verdict, Verdict] = {"holds": "fails", "fails": "holds", "undecided": "undecided"}
    found = above(name, samples, bound)
    return replace(found, verdict=opposite[found.verdict])


def undecided(reason: str) -> Finding:
    """A finding without numbers: the runs that are there cannot tell."""
    return Finding((Part("not measured", Interval(math.nan, math.nan, math.nan, 0), "undecided"),), reason)


def decide(claim: Claim, runs: RunTable, variants: Variants) -> Finding:
    """A claim's finding; undecided, with the reason, where a run that it needs is missing.

    What is not finite, of a dead or diverged run, leaves its part undecided.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        try:
            finding = claim.decide(runs, variants)
        except MissingRunsError as missing:
            return undecided(str(missing))
    if finding.verdict == "undecided" and any(part.interval.n == 1 for part in finding.parts):
        return replace(finding, note=f"{finding.note} {_ONE_SEED}".strip())
    return finding


def _sign_flip(samples: ArrayLike, bound: float) -> float:
    differences = np.asarray(samples, dtype=float) - bound
    return sign_flip_p(differences.tolist()) if np.isfinite(differences).all() and len(differences) <= 16 else math.nan
