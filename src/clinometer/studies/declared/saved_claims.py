"""Claims that a function decides: what it is given, and what is kept for a report that does not run its program."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast, get_args

from clinometer.results.runs import MissingRunsError, Runs
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Claim, Finding, Part, Verdict, undecided
from clinometer.training.config import RunConfig, said
from clinometer.training.errors import SpecError

_TEXTS = ("id", "statement", "source", "rule")


class Arms(dict[str, RunConfig]):
    """The arms of a study, as a function that decides a claim is given them: by name, or by a part that tells one."""

    def __missing__(self, name: str) -> RunConfig:
        found = [arm for arm in self.values() if set(name.split(", ")) <= _words(arm)]
        if len(found) != 1:
            count = "no arm" if not found else f"{len(found)} arms"
            raise MissingRunsError(f"This study has {count} {name!r}; there are {', '.join(map(repr, self))}.")
        return found[0]


def _words(arm: RunConfig) -> set[str]:
    return {f"{name} {said(value)}" for name, value in arm.facts().items()}


def on_arms(claim: Claim, arms: Mapping[str, RunConfig]) -> Claim:
    """The claim, its function given the runs and these arms."""
    named = cast("Any", Arms(arms))

    def decide(runs: Runs, _bases: Any) -> Finding:
        return claim.decide(runs, named)

    return replace(claim, exhibits=(), decide=decide)


def kept(claim: Claim) -> dict[str, Any]:
    """A claim as JSON, less its function."""
    return {name: getattr(claim, name) for name in _TEXTS} | {"function": True}


def claim_kept(key: str, given: Mapping[str, Any]) -> Claim:
    """The claim again, decided as it last was: its function is the study's program, which a report does not run.

    Args:
        key: Where it stands.
        given: What `kept` made of it, with its row of `claims.json` as `row` if there is one.
    """
    texts = {name: given.get(name) for name in _TEXTS}
    if not all(isinstance(text, str) for text in texts.values()):
        raise SpecError(key, f"expected {', '.join(_TEXTS)} as text; found {texts}.")
    found = undecided("It is decided by a function of the study's program, which `clinometer run` calls.")
    if given.get("row") is not None:
        found = _finding(key, given["row"])
    return Claim(**cast("dict[str, str]", texts), exhibits=(), decide=lambda _runs, _bases: found)


def _finding(key: str, row: Any) -> Finding:
    try:
        parts, beside = (tuple(_part(part) for part in row[name]) for name in ("parts", "beside"))
        note = str(row["note"])
    except (LookupError, TypeError, ValueError) as error:
        raise SpecError(key, f"its row of claims.json is damaged: {error!r}.") from error
    said = "Decided by a function of the study's program when it last ran."
    return Finding(parts, note if said in note else f"{note} {said}".strip(), beside)


def _part(row: Mapping[str, Any]) -> Part:
    if row["verdict"] not in get_args(Verdict):
        raise ValueError(f"no verdict {row['verdict']!r}")
    value, p = _number(row["value"], math.nan), _number(row["p"], math.nan)
    low, high = _number(row["low"], -math.inf), _number(row["high"], math.inf)
    return Part(str(row["name"]), Interval(value, low, high, int(row["n"])), row["verdict"], p)


def _number(value: Any, absent: float) -> float:
    return absent if value is None else float(value)
