"""Checks that the claims of a declared study ask for levels that its factors have, before any run is made."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clinometer.studies.claims import Claim
from clinometer.studies.declared.comparison_rule import ComparisonRule
from clinometer.training.config import format_value
from clinometer.training.errors import SpecError
from clinometer.training.settings import Value


def check_levels(claims: Sequence[Claim], levels: Mapping[str, Iterable[Value]]) -> None:
    """Raise SpecError if a claim compares variants by a level that its factor does not have.

    Args:
        claims: Of the study.
        levels: Every factor, and every other name that a claim may use, to its levels.
    """
    for index, claim in enumerate(claims):
        if isinstance(claim.compare, ComparisonRule):
            for side, chosen in (("compare", claim.compare.compare), ("to", claim.compare.to)):
                for name, level in chosen.items():
                    check_level(f"claims[{index}].{side}.{name}", name, level, levels[name])


def check_level(key: str, factor: str, level: Value, levels: Iterable[Value]) -> None:
    """Raise SpecError unless a factor has this level; the message says what there is, and what is nearest.

    Example:
        >>> check_level("claims[0].to.dropout", "dropout", 0.7, (0.0, 0.5))
        Traceback (most recent call last):
        ...
        clinometer.training.errors.SpecError: claims[0].to.dropout: dropout has no level 0.7; there are 0, 0.5. \
Did you mean 0.5?
    """
    there = list(levels)
    if level in there:
        return
    nearest = _nearest(level, there)
    hint = "" if nearest is None else f" Did you mean {format_value(nearest)}?"
    listed = ", ".join(map(format_value, there[:20]))
    raise SpecError(key, f"{factor} has no level {format_value(level)}; there are {listed}.{hint}")


def _nearest(level: Value, there: Sequence[Value]) -> Value:
    """The level that may have been meant, or None: the nearest number, or the most similar text."""
    if _is_number(level):
        return min(filter(_is_number, there), key=lambda each: abs(each - level), default=None)
    texts = {str(each): each for each in there}
    return next((texts[text] for text in difflib.get_close_matches(str(level), texts, n=1)), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
