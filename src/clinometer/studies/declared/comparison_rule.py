"""The rule of a declared claim: compares a quantity of some variants with a bound, or with that of other variants."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clinometer.results.quantity import Quantity
from clinometer.results.run_table import Floats, RunTable
from clinometer.studies.claims import Evidence, Variants, no_evidence
from clinometer.studies.comparison import FACTOR, Comparison, above, below
from clinometer.studies.declared.variants import has_values, values_of, values_text, varied_facts
from clinometer.training.config import RunConfig
from clinometer.training.settings import Settings


@dataclass(frozen=True)
class ComparisonRule:
    """Compares a quantity between variants that agree in all other factors, seed by seed.

    A claim calls it as `compare`, with the finished runs and the study's variants.
    """

    quantity: Quantity
    kind: str  # ratio, difference, or value
    side: str  # above or below
    bound: float
    compare: Settings  # factor values of the variants to compare
    to: Settings  # factor values of the variants to compare them to; empty for a value
    given: Settings  # the claim's keys in the study file

    @property
    def rule(self) -> str:
        """The rule in words."""
        whose = f" of {values_text(self.compare)}" if self.compare else ""
        rule = f"{self.kind} {self.side} {self.bound:g}: {self.quantity.name} {self.quantity.window}{whose}"
        return rule + (f" against {values_text(self.to)}, seed by seed" if self.to else "")

    def arms(self, variants: Variants) -> list[RunConfig]:
        """The variants that are compared with each other, or with the bound."""
        chosen = [self.compare, *([self.to] if self.to else [])]
        return [each for each in variants.values() if any(has_values(each, values) for values in chosen)]

    def __call__(self, runs: RunTable, variants: Variants) -> Evidence:
        """Decide the claim, with one part for each pair of variants."""
        every = list(variants.values())
        ours, others = ([each for each in every if has_values(each, values)] for values in (self.compare, self.to))
        for chosen, values in ((ours, self.compare), (others, self.to)):
            if not chosen:
                return no_evidence(f"This study has no arm with {values_text(values)}.")
        rest = [name for name in varied_facts(every) if name not in (*self.compare, *self.to)]
        pairs = self._pairs(ours, others, rest)
        if not pairs:
            return no_evidence(
                f"No arms with {values_text(self.compare)} and with {values_text(self.to)} agree in all else."
            )
        notes: list[str] = []
        parts = [self._part(runs, one, other, values_text(values_of(one, rest)), notes) for one, other in pairs]
        return Evidence(tuple(parts), " ".join(dict.fromkeys(notes)))

    def _pairs(
        self, ours: Sequence[RunConfig], others: Sequence[RunConfig], rest: Sequence[str]
    ) -> list[tuple[RunConfig, RunConfig]]:
        if self.kind == "value":
            return [(variant, variant) for variant in ours]
        return [(one, other) for one in ours for other in others if values_of(one, rest) == values_of(other, rest)]

    def _part(self, runs: RunTable, one: RunConfig, other: RunConfig, at: str, notes: list[str]) -> Comparison:
        name = f"{self.quantity.name} {self.quantity.window}, {self.kind}{at and f', {at}'}"
        try:
            seeds = runs.common(one, other)
            ours, others = (self.quantity.samples(runs, variant, seeds) for variant in (one, other))
        except ValueError as missing:
            notes.append(f"{name}: {str(missing).rstrip('.')}.")
            return Comparison(name, ())
        diverged = {values_text(self.compare): runs.diverged(one), values_text(self.to): runs.diverged(other)}
        notes += [f"Runs with {chosen} that diverged: {count}." for chosen, count in diverged.items() if count]
        return self._compared(name, ours, others, notes)

    def _compared(self, name: str, ours: Floats, others: Floats, notes: list[str]) -> Comparison:
        side = above if self.side == "above" else below
        if self.kind == "value":
            return side(name, ours, self.bound)
        if self.kind == "difference":
            return side(name, ours - others, self.bound)
        if (ours <= 0).any() or (others <= 0).any():
            notes.append(f"{name}: a ratio needs positive values; compare the difference.")
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log10(ours) - np.log10(others)  # twice and half are equally far from 0
        return side(name, logs, math.log10(self.bound), FACTOR)
