"""The curvature of each step's batch along its own gradient."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from clinometer.measures.batch_sharpness import batch_sharpness as measure
from clinometer.measures.batch_sharpness import batch_sharpness_of
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch, Objective
from clinometer.objective.params import Point
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.stability import stability_of
from clinometer.store import Row

_PARTS = ("curvature", "grad_norm_squared")
CURVATURE = "loss / parameter²"
FIELDS = {
    "value": Field(
        unit=CURVATURE,
        meaning="batch sharpness: the curvature of the batch's loss along its own gradient, gᵀHg / ‖g‖²",
        headline=True,
        label="batch sharpness",
        worst="highest",
    ),
    "threshold": Field(
        unit=CURVATURE, meaning="2/lr for SGD without momentum, less its weight decay; NaN for other optimizers"
    ),
    "ratio": Field(
        meaning="batch sharpness over the threshold; above 1, the second-order model of the batch's loss rises",
        headline=True,
        label="batch sharpness/threshold",
        worst="highest",
        limit=1.0,
        otherwise="value",
    ),
    "curvature": Field(unit="loss³ / parameter⁴", meaning="gᵀHg, the numerator", drawing="none"),
    "grad_norm_squared": Field(unit="loss² / parameter²", meaning="‖g‖², the denominator", drawing="none"),
}


OF_BATCHES = {
    "value": replace(FIELDS["value"], meaning="batch sharpness: the mean of gᵀHg / ‖g‖² over several batches"),
    "error": Field(unit=CURVATURE, meaning="the standard error of that mean, as batches differ", drawing="none"),
    "ratio_of_means": Field(unit=CURVATURE, meaning="the mean of gᵀHg over the mean of ‖g‖²"),
    "threshold": FIELDS["threshold"],
    "ratio": replace(FIELDS["ratio"], meaning="batch sharpness over the threshold, as the mean over several batches"),
    "curvature": replace(FIELDS["curvature"], axes=("batch",), meaning="gᵀHg of each batch"),
    "grad_norm_squared": replace(FIELDS["grad_norm_squared"], axes=("batch",), meaning="‖g‖² of each batch"),
}


@probe_factory
def batch_sharpness(*, batches: Iterable[Batch] | Batches | None = None) -> Probe:
    """The curvature of each step's batch along its own gradient, which hovers near 2/lr in minibatch SGD.

    Fields: `value` = gᵀHg / ‖g‖² of the step's own batch, at the start of the step; `threshold`, 2/lr for SGD without
    momentum and NaN elsewhere, and `ratio` = value / threshold; `curvature` = gᵀHg and `grad_norm_squared` = ‖g‖², from
    which `batch_sharpness_of(recorder.read("batch_sharpness"))` takes both averages over steps, each with its interval.
    NaN where the gradient is 0. Cost: about 2.7 forward-backward passes.

    Args:
        batches: Measure each of these by itself, all where the step starts. Rows are named `batch_sharpness_batches`:
            `value` is the mean over them, with its standard error `error`, and `ratio_of_means` the other average;
            `curvature` and `grad_norm_squared` have the shape (batches,). Costs as much for each. They should be as
            large as those of training.
    Source: Andreyev & Beneventano (2024), arXiv:2412.20553.
    """
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        stability = stability_of(step)
        threshold = stability.threshold if stability.plain else math.nan
        objective = step.on(measured_on).objective
        row = vars(measure(objective, step.before)) if measured_on is None else _of_each(objective, step.before)
        value = -row["value"] if stability.maximizes else row["value"]
        return row | {"threshold": threshold, "ratio": value / threshold}

    if measured_on is None:
        return make_probe("batch_sharpness", probe, FIELDS, 2.7)

    def check(_model: nn.Module) -> None:
        measured_on.read()  # for its errors

    return make_probe("batch_sharpness_batches", probe, OF_BATCHES, 2.7 * len(measured_on), check)


def _of_each(objective: Objective, at: Point) -> dict[str, Any]:
    """Of each batch by itself: the mean of their ratios is not the ratio of their mean."""
    found = [measure(objective.only([number]), at) for number in range(objective.batches)]
    averages = batch_sharpness_of({name: [getattr(each, name) for each in found] for name in _PARTS})
    values = torch.tensor([each.value for each in found if math.isfinite(each.value)], dtype=torch.float64)
    return {
        "value": averages.mean_of_ratios.value,
        "error": float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan,
        "ratio_of_means": averages.ratio_of_means.value,
    } | {name: torch.tensor([getattr(each, name) for each in found], dtype=torch.float64) for name in _PARTS}
