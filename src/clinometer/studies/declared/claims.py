"""Claims of a declared study: made from the keys of a file, and written as JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from clinometer.results.quantity import Quantity
from clinometer.studies.claims import Claim, Finding, undecided
from clinometer.studies.claims_json import TEXTS, to_finding
from clinometer.studies.declared.comparison_rule import ComparisonRule
from clinometer.training.errors import SpecError, check_choice
from clinometer.training.settings import Settings, frozen

_RULE = re.compile(r"(ratio|difference|value) (above|below) ([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")
_KEYS = ("id", "statement", "quantity", "over", "compare", "to", "rule", "source")
_NEEDED = ("id", "quantity", "rule")
_SAVED = "Decided by a function of the study's program when it last ran."


def claim_of(key: str, given: Any, factors: Sequence[str]) -> Claim:
    """A claim from a mapping of a study file or of `study.json`; a `Claim` is returned as it is.

    Args:
        key: The claim's place in the study, for errors.
        given: The claim, or the mapping.
        factors: The names that `compare` and `to` may use.

    Raises:
        SpecError: if a key is unknown, missing or unusable.
    """
    if isinstance(given, Claim):
        return given
    if isinstance(given, Mapping) and "function" in given:
        return _saved(key, cast("Mapping[str, Any]", given))
    return comparison(key, given, factors)


def spec_of(claim: Claim) -> Mapping[str, Any]:
    """A claim as JSON that `claim_of` reads. A function that decides the claim is left out."""
    if isinstance(claim.compare, ComparisonRule):
        return claim.compare.given
    return {name: getattr(claim, name) for name in TEXTS} | {"bounds": dict(claim.bounds), "function": True}


def comparison(key: str, given: object, factors: Sequence[str]) -> Claim:
    """Make a claim that a `ComparisonRule` decides from the keys of a file.

    Args:
        key: The claim's place in the study, for errors.
        given: The mapping.
        factors: The names that `compare` and `to` may use.

    Raises:
        SpecError: if a key is unknown, missing or unusable.
    """
    if not isinstance(given, Mapping):
        raise SpecError(key, f"expected a mapping with {', '.join(_NEEDED)} and compare; found {given!r}.")
    keys = cast("Mapping[str, Any]", given)
    for name in keys:
        check_choice("key of a claim called", name, _KEYS, f"{key}.{name}")
    for name in _NEEDED:
        if not isinstance(keys.get(name), str) or not keys[name]:
            raise SpecError(f"{key}.{name}", f"expected text; found {keys.get(name)!r}.")
    kind, side, bound = _rule(f"{key}.rule", keys["rule"])
    compare, to = (_values(f"{key}.{name}", keys.get(name, {}), factors) for name in ("compare", "to"))
    if (kind == "value") == bool(to):
        raise SpecError(
            f"{key}.to",
            "a value has nothing to be compared to; leave out `to`, or ask for a ratio or a difference."
            if to
            else f"a {kind} needs `to`: the arms that those of `compare` are compared to, such as to: {{lr: 0.1}}.",
        )
    quantity = Quantity.parse(keys["quantity"], keys.get("over"), key=f"{key}.quantity", over_key=f"{key}.over")
    rule = ComparisonRule(quantity, kind, side, bound, compare, to, frozen(key, keys))
    statement, source = str(keys.get("statement") or keys["id"]), str(keys.get("source", ""))
    return Claim(keys["id"], statement, source, rule.rule, (), rule, arms=rule.arms)


def _rule(key: str, text: str) -> tuple[str, str, float]:
    """Kind, side and bound of a rule such as `ratio below 1`."""
    rule = _RULE.fullmatch(" ".join(text.split()))
    if not rule:
        raise SpecError(
            key, f"expected ratio, difference or value, above or below, a number: ratio below 1; found {text!r}."
        )
    kind, side, bound = rule[1], rule[2], float(rule[3])
    if kind == "ratio" and bound <= 0:
        raise SpecError(key, f"a ratio is compared with a positive number; found {text!r}.")
    return kind, side, bound


def _values(key: str, given: Any, factors: Sequence[str]) -> Settings:
    if not isinstance(given, Mapping):
        raise SpecError(key, f"expected factors with a value each, such as {{dropout: 0.5}}; found {given!r}.")
    for name in cast("Mapping[str, Any]", given):
        check_choice("factor", str(name), factors, f"{key}.{name}")
    return frozen(key, given)


def _saved(key: str, given: Mapping[str, Any]) -> Claim:
    """A claim that a function of the study's program decides. It gives the last finding: reports run no programs.

    Args:
        key: The claim's place in the study, for errors.
        given: The claim's `spec_of`, and as `row` its row of `claims.json` if there is one.
    """
    texts = {name: given.get(name) for name in TEXTS}
    if not all(isinstance(text, str) for text in texts.values()):
        raise SpecError(key, f"expected {', '.join(TEXTS)} as text; found {texts}.")
    finding = undecided("It is decided by a function of the study's program, which `clinometer run` calls.")
    if given.get("row") is not None:
        finding = _saved_finding(key, given["row"])
    bounds = given.get("bounds", {})
    if not isinstance(bounds, Mapping) or not all(type(bound) in (int, float) for bound in bounds.values()):
        raise SpecError(key, f"expected bounds as numbers by name; found {bounds!r}.")
    return Claim(**cast("Any", texts), figures=(), compare=lambda _runs, _variants: finding, bounds=bounds)


def _saved_finding(key: str, row: Any) -> Finding:
    try:
        finding = to_finding(row)
    except (LookupError, TypeError, ValueError) as error:
        raise SpecError(key, f"its row of claims.json is damaged: {error!r}.") from error
    note = finding.note if _SAVED in finding.note else f"{finding.note} {_SAVED}".strip()
    return replace(finding, note=note)
