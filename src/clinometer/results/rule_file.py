"""`rules.json`: by which rule each claim was to be decided, noted before the first run of its seeds began.

The file maps a study's first seed to the ids of claims, and these to a `RecordedRule`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinometer.results.claim_ledger import read_ledger
from clinometer.training.files import write_sealed

NAME = "rules.json"
UNRECORDED = "a folder that was merged has runs of these seeds, and no record of the rule"


@dataclass(frozen=True)
class Rule:
    """What decides a claim, as it was at a time."""

    digest: str  # of the four facts below
    statement: str
    rule: str  # in words
    bounds: Mapping[str, float | None]  # the rule's numbers by name; None where one is not finite
    statistic: str  # the version of the statistic that judges
    recorded: str  # when, in UTC


@dataclass(frozen=True)
class RecordedRule(Rule):
    """The rule that a claim is to be decided by."""

    late: str = ""  # why it may have been written after the data; empty if it was not
    others: tuple[Rule, ...] = ()  # that other folders recorded, before they were merged; later ones, by time


Rules = dict[str, dict[str, RecordedRule]]  # a first seed to a claim's id to its rule


def read_rules(folder: Path) -> Rules:
    """The rules that are recorded in a study's folder; none where the file is not there.

    Raises:
        DamagedError: if the file is not what was written.
        OSError: if it cannot be read.
    """
    return read_ledger(folder / NAME, _recorded, "the rules recorded before the data")


def write_rules(folder: Path, rules: Rules) -> None:
    """Write the file, whole or not at all."""
    rows = {first: {claim: dataclasses.asdict(held) for claim, held in of.items()} for first, of in rules.items()}
    write_sealed(folder / NAME, rows)


def merged_rules(folders: Sequence[tuple[Rules, int | None]]) -> Rules:
    """The rules of several folders as those of one: of each claim the earliest, with the different ones beside it.

    Args:
        folders: What each folder recorded, and the largest seed of its finished runs, or None where it has none. A
            folder that has runs of the seeds from a first one on, and no record of a claim, may have seen these data
            before the rule was written.
    """
    merged: Rules = {}
    for rules, _ in folders:
        for first, claims in rules.items():
            held = merged.setdefault(first, {})
            for claim, rule in claims.items():
                held[claim] = _earliest(held[claim], rule) if claim in held else rule
    for rules, largest in folders:
        for first, claims in merged.items():
            if largest is not None and largest >= int(first):
                for claim in claims.keys() - rules.get(first, {}).keys():
                    claims[claim] = replace(claims[claim], late=max(claims[claim].late, UNRECORDED))
    return merged


def bare(rule: RecordedRule) -> Rule:
    """The rule alone."""
    return Rule(**{each.name: getattr(rule, each.name) for each in dataclasses.fields(Rule)})


def _earliest(one: RecordedRule, other: RecordedRule) -> RecordedRule:
    """The rule that was recorded first, with all different ones beside it; the order of the two does not matter."""
    first: dict[str, Rule] = {}
    for rule in sorted([bare(one), bare(other), *one.others, *other.others], key=lambda r: (r.recorded, r.digest)):
        first.setdefault(rule.digest, rule)
    earliest, *others = first.values()
    return RecordedRule(**vars(earliest), late=max(one.late, other.late), others=tuple(others))


def _recorded(row: Any) -> RecordedRule:
    facts = dict(row)
    late, others = facts.pop("late"), facts.pop("others")
    if not isinstance(late, str) or not isinstance(others, list):
        raise ValueError(f"expected a rule; found {row!r}")
    return RecordedRule(**vars(_rule(facts)), late=late, others=tuple(_rule(each) for each in others))


def _rule(row: Any) -> Rule:
    found = Rule(**row)
    texts = [getattr(found, each.name) for each in dataclasses.fields(Rule) if each.name != "bounds"]
    if not all(isinstance(text, str) for text in texts) or not isinstance(found.bounds, dict):
        raise ValueError(f"expected a rule; found {row!r}")
    return found
