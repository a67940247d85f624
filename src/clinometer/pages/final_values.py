"""The last value of every number that each arm of a study recorded, as a table."""

from collections.abc import Sequence

from clinometer.results.quantity import Quantity, curve_fields
from clinometer.results.run_table import RunTable
from clinometer.results.statistics import interval
from clinometer.studies.effect_text import effect_text
from clinometer.studies.plan import Plan
from clinometer.training.config import RunConfig
from clinometer.training.files import finite

FinalValues = dict[str, dict[str, str]]  # arm to quantity to mean [95% interval over seeds]


def final_values(runs: RunTable, plan: Plan, probes: Sequence[str]) -> FinalValues:
    """Each number that these probes recorded, at the last step at which they measured."""
    return {plan.name_of(arm): _values_of(runs, arm, probes) for arm in runs.arms}


def _values_of(runs: RunTable, arm: RunConfig, probes: Sequence[str]) -> dict[str, str]:
    quantities = [Quantity(probe, field, "last") for probe in probes for field in curve_fields(runs.fields(arm, probe))]
    return {quantity.name: _interval_of(runs, arm, quantity) for quantity in quantities}


def _interval_of(runs: RunTable, arm: RunConfig, quantity: Quantity) -> str:
    found = interval(quantity.samples(runs, arm, runs.seeds(arm)))
    return effect_text({"value": finite(found.value), "low": finite(found.low), "high": finite(found.high)})
