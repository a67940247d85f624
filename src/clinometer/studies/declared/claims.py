"""Claims in words that a file can hold: a quantity, whose it is compared to whose, and by how much."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from clinometer.results.quantity import Quantity
from clinometer.results.run_table import Floats, RunTable
from clinometer.results.statistics import Interval
from clinometer.studies.claims import Claim, Finding, Part, above, below, undecided
from clinometer.training.config import RunConfig, said
from clinometer.training.errors import SpecError, known
from clinometer.training.settings import Settings, frozen

_RULE = re.compile(r"(ratio|difference|value) (above|below) ([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_KEYS = ("id", "statement", "quantity", "over", "compare", "to", "rule", "source")
_NEEDED = ("id", "quantity", "rule")


@dataclass(frozen=True)
class Comparison:
    """A claim on a study of one's own: of the arms that `compare` names, beside those that `to` names.

    Arms are paired where they agree in all other factors, and runs by their seed.
    """

    id: str
    statement: str
    quantity: Quantity
    kind: str  # ratio, difference, or value
    side: str  # above or below
    bound: float
    compare: Settings
    to: Settings
    source: str
    given: Settings  # the keys that it was read from

    def claim(self, arms: Sequence[RunConfig]) -> Claim:
        """The claim as studies have it, on these arms."""
        whose = f" of {_chosen(self.compare)}" if self.compare else ""
        rule = f"{self.kind} {self.side} {self.bound:g}: {self.quantity.name} {self.quantity.window}{whose}"
        rule += f" against {_chosen(self.to)}, seed by seed" if self.to else ""
        return Claim(self.id, self.statement, self.source, rule, (), lambda runs, _: self.decide(runs, arms))

    def decide(self, runs: RunTable, arms: Sequence[RunConfig]) -> Finding:
        """Compare what is there: a part for each pair of arms."""
        ours, others = ([arm for arm in arms if _fits(arm, chosen)] for chosen in (self.compare, self.to))
        for found, chosen in ((ours, self.compare), (others, self.to)):
            if not found:
                return undecided(f"This study has no arm with {_chosen(chosen)}.")
        rest = [name for name in _varied(arms) if name not in (*self.compare, *self.to)]
        if self.kind == "value":
            pairs = [(arm, arm) for arm in ours]
        else:
            pairs = [(one, other) for one in ours for other in others if _told(one, rest) == _told(other, rest)]
        if not pairs:
            return undecided(f"No arms with {_chosen(self.compare)} and with {_chosen(self.to)} agree in all else.")
        notes: list[str] = []
        parts = [self._part(runs, one, other, _chosen(_told(one, rest)), notes) for one, other in pairs]
        return Finding(tuple(parts), " ".join(dict.fromkeys(notes)))

    def _part(self, runs: RunTable, one: RunConfig, other: RunConfig, at: str, notes: list[str]) -> Part:
        name = f"{self.quantity.name} {self.quantity.window}, {self.kind}{at and f', {at}'}"
        try:
            seeds = runs.common(one, other)
            ours, others = (self.quantity.samples(runs, arm, seeds) for arm in (one, other))
        except ValueError as missing:
            notes.append(f"{name}: {str(missing).rstrip('.')}.")
            return Part(name, Interval(math.nan, math.nan, math.nan, 0), "undecided")
        ended = {_chosen(self.compare): runs.diverged(one), _chosen(self.to): runs.diverged(other)}
        notes += [f"Runs with {chosen} that diverged: {count}." for chosen, count in ended.items() if count]
        return self._compared(name, ours, others, notes)

    def _compared(self, name: str, ours: Floats, others: Floats, notes: list[str]) -> Part:
        side = above if self.side == "above" else below
        if self.kind == "value":
            return side(name, ours, self.bound)
        if self.kind == "difference":
            return side(name, ours - others, self.bound)
        if (ours <= 0).any() or (others <= 0).any():
            notes.append(f"{name}: a ratio needs positive values; compare the difference.")
        with np.errstate(divide="ignore", invalid="ignore"):
            part = side(name, np.log(ours) - np.log(others), math.log(self.bound))
        found = part.interval  # of the logarithm, on which twice and half weigh the same
        value, low, high = (float(np.exp(end)) for end in (found.value, found.low, found.high))
        return replace(part, interval=Interval(value, low, high, found.n))


def comparison(key: str, given: object, factors: Sequence[str]) -> Comparison:
    """A claim from the keys of a file.

    Args:
        key: Where it stands.
        given: The mapping.
        factors: What arms may be told by.

    Raises:
        SpecError: if a key is unknown, missing or unusable.
    """
    if not isinstance(given, Mapping):
        raise SpecError(key, f"expected a mapping with {', '.join(_NEEDED)} and compare; found {given!r}.")
    told = cast("Mapping[str, Any]", given)
    for name in told:
        known(f"{key}.{name}", "key of a claim called", name, _KEYS)
    for name in _NEEDED:
        if not isinstance(told.get(name), str) or not told[name]:
            raise SpecError(f"{key}.{name}", f"expected text; found {told.get(name)!r}.")
    rule = _RULE.fullmatch(" ".join(told["rule"].split()))
    if not rule:
        raise SpecError(
            f"{key}.rule",
            f"expected ratio, difference or value, above or below, a number: ratio below 1; found {told['rule']!r}.",
        )
    kind, side, bound = rule[1], rule[2], float(rule[3])
    if kind == "ratio" and bound <= 0:
        raise SpecError(f"{key}.rule", f"a ratio is compared with a positive number; found {told['rule']!r}.")
    compare, to = (_arms(f"{key}.{name}", told.get(name, {}), factors) for name in ("compare", "to"))
    if (kind == "value") == bool(to):
        raise SpecError(
            f"{key}.to",
            "a value has nothing to be compared to; leave out `to`, or ask for a ratio or a difference."
            if to
            else f"a {kind} needs `to`: the arms that those of `compare` are compared to, such as to: {{lr: 0.1}}.",
        )
    quantity = Quantity.parse(told["quantity"], told.get("over"), key=f"{key}.quantity", over_key=f"{key}.over")
    statement = str(told.get("statement") or told["id"])
    source, held = str(told.get("source", "")), frozen(key, told)
    return Comparison(told["id"], statement, quantity, kind, side, bound, compare, to, source, held)


def _arms(key: str, given: Any, factors: Sequence[str]) -> Settings:
    if not isinstance(given, Mapping):
        raise SpecError(key, f"expected factors with a value each, such as {{dropout: 0.5}}; found {given!r}.")
    for name in cast("Mapping[str, Any]", given):
        known(f"{key}.{name}", "factor", str(name), factors)
    return frozen(key, given)


def _fits(arm: RunConfig, chosen: Mapping[str, Any]) -> bool:
    facts = arm.facts()
    return all(name in facts and facts[name] == value for name, value in chosen.items())


def _chosen(chosen: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {said(value)}" for name, value in chosen.items())


def _told(arm: RunConfig, names: Sequence[str]) -> dict[str, Any]:
    facts = arm.facts()
    return {name: facts[name] for name in names}


def _varied(arms: Sequence[RunConfig]) -> list[str]:
    """The facts that differ between arms."""
    facts = [arm.facts() for arm in arms]
    return [name for name in facts[0] if any(each[name] != facts[0][name] for each in facts)]
