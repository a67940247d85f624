"""The variants of a declared study by name, and by the values of their factors."""

from collections.abc import Mapping, Sequence
from typing import Any

from clinometer.results.run_table import MissingRunsError
from clinometer.training.config import RunConfig, format_value


class NamedVariants(dict[str, RunConfig]):
    """A study's variants by name, or by facts that only one variant has together, such as "dropout 0.5, lr 0.2"."""

    def __missing__(self, name: str) -> RunConfig:
        matching = [variant for variant in self.values() if set(name.split(", ")) <= _fact_texts(variant)]
        if len(matching) != 1:
            count = "no arm" if not matching else f"{len(matching)} arms"
            raise MissingRunsError(f"This study has {count} {name!r}; there are {', '.join(map(repr, self))}.")
        return matching[0]


def has_values(variant: RunConfig, values: Mapping[str, Any]) -> bool:
    """Whether a variant's facts have these values."""
    facts = variant.facts()
    return all(name in facts and facts[name] == value for name, value in values.items())


def values_of(variant: RunConfig, names: Sequence[str]) -> dict[str, Any]:
    """The facts of a variant that have these names."""
    facts = variant.facts()
    return {name: facts[name] for name in names}


def values_text(values: Mapping[str, Any]) -> str:
    """Format facts as text.

    Example:
        >>> values_text({"dropout": 0.50, "lr": 1.0})
        'dropout 0.5, lr 1'
    """
    return ", ".join(f"{name} {format_value(value)}" for name, value in values.items())


def varied_facts(variants: Sequence[RunConfig]) -> list[str]:
    """The names of the facts that differ between variants."""
    facts = [variant.facts() for variant in variants]
    return [name for name in facts[0] if any(each[name] != facts[0][name] for each in facts)]


def _fact_texts(variant: RunConfig) -> set[str]:
    return {f"{name} {format_value(value)}" for name, value in variant.facts().items()}
