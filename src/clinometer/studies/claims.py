"""Claims, and how they are decided: by an interval over seeds, by a rule that is written before the run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from clinometer.results.runs import MissingRunsError, Runs
from clinometer.results.statistics import Interval, interval, sign_flip_p
from clinometer.training.config import Bases
from clinometer.training.files import finite

Verdict = Literal["holds", "fails", "undecided"]


@dataclass(frozen=True)
class Part:
    """One comparison: it holds where its whole interval lies on the right side of the bound."""

    name: str
    interval: Interval
    verdict: Verdict
    p: float = math.nan  # of the exact sign-flip test that the samples centre on the bound; it never decides


@dataclass(frozen=True)
class Finding:
    """What was found about a claim: the first part is its headline."""

    parts: tuple[Part, ...]
    note: str = ""  # what a reader must know beside the numbers: how far the arms had trained, say
    beside: tuple[Part, ...] = ()  # further comparisons, shown and not counted

    @property
    def verdict(self) -> Verdict:
        """`holds` if all parts hold, `fails` if one fails, else `undecided`."""
        verdicts = {part.verdict for part in self.parts}
        if "fails" in verdicts:
            return "fails"
        return "holds" if verdicts == {"holds"} else "undecided"


@dataclass(frozen=True)
class Claim:
    """A statement of a paper, and the rule that decides it."""

    id: str
    statement: str
    source: str  # where the paper says it
    rule: str  # in words, what `decide` does
    exhibits: tuple[str, ...]  # those whose runs it needs
    decide: Callable[[Runs, Bases], Finding]


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


def decided(claims: Sequence[Claim], runs: Runs, bases: Bases) -> list[dict[str, Any]]:
    """The claims table: one object per claim, ready for JSON (numbers that are not finite become null)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # dead and diverged runs: what is not finite is undecided
        return [_row(claim, _found(claim, runs, bases)) for claim in claims]


def _found(claim: Claim, runs: Runs, bases: Bases) -> Finding:
    try:
        return claim.decide(runs, bases)
    except MissingRunsError as missing:
        return undecided(str(missing))


def _row(claim: Claim, finding: Finding) -> dict[str, Any]:
    return {
        "id": claim.id,
        "statement": claim.statement,
        "source": claim.source,
        "rule": claim.rule,
        "verdict": finding.verdict,
        **_numbers(finding.parts[0].interval),
        "quantity": finding.parts[0].name,
        "parts": [_part(part) for part in finding.parts],
        "beside": [_part(part) for part in finding.beside],
        "note": finding.note,
    }


def _part(part: Part) -> dict[str, Any]:
    return {"name": part.name, "verdict": part.verdict, **_numbers(part.interval), "p": finite(part.p)}


def _numbers(found: Interval) -> dict[str, float | int | None]:
    return {name: finite(getattr(found, name)) for name in ("value", "low", "high")} | {"n": found.n}


def _sign_flip(samples: ArrayLike, bound: float) -> float:
    differences = np.asarray(samples, dtype=float) - bound
    return sign_flip_p(differences.tolist()) if np.isfinite(differences).all() and len(differences) <= 16 else math.nan
