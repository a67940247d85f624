"""The distributions of modules' outputs at a step."""

from collections.abc import Sequence

import torch
from torch import nn

from clinometer.measures.activations import histogram, moments, units
from clinometer.objective.hooks import submodule
from clinometer.probes.base import LAYER, Probe, Step, make_probe, padded, probe_factory
from clinometer.probes.field import Field
from clinometer.store import Row

FIELDS = {
    "layer": LAYER,
    "mean": Field(
        ("layer", "unit"), unit="activation", meaning="the mean of each unit over batch and space", drawing="none"
    ),
    "var": Field(
        ("layer", "unit"),
        unit="activation²",
        meaning="the biased variance of each unit over batch and space",
        drawing="none",
    ),
    "edges": Field(("layer", "edge"), unit="activation", meaning="the edges of the histogram's bins", drawing="none"),
    "counts": Field(
        ("layer", "bin"), meaning="how many values of one unit lie in each bin", drawing="ridges", along="edges"
    ),
}


@probe_factory
def activations(modules: Sequence[str], *, unit: int = 0, bins: int = 40) -> Probe:
    """Means, variances and histograms of modules' outputs at the start of the step, on its batch.

    Fields: `layer` (layers,) names; `mean`, `var` (layers, units), padded with NaN to the widest layer;
    `edges` (layers, bins + 1) and `counts` (layers, bins), the histogram of one unit. Cost: one forward pass.

    Args:
        modules: Names of submodules (see `model.named_modules()`) with outputs of shape (N, C, ...).
        unit: The unit whose histogram is kept.
        bins: How many bins.
    Source: Santurkar et al. (2018), Figures 1(c), 2, 6, 8.
    """
    names = tuple(modules)
    if unit < 0 or bins < 1 or not names:
        raise ValueError(f"expected modules, a unit from 0 and bins from 1; found {names}, {unit} and {bins}.")

    def check(model: nn.Module) -> None:
        for name in names:
            submodule(model, name)

    def probe(step: Step) -> Row:
        outputs = step.objective.outputs(step.before, names)
        unit_moments = [moments(outputs[name]) for name in names]
        histograms = [histogram(units(outputs[name])[unit], bins) for name in names]
        return {
            "layer": names,
            "mean": padded([m.mean for m in unit_moments]),
            "var": padded([m.var for m in unit_moments]),
            "edges": torch.stack([h.edges for h in histograms]),
            "counts": torch.stack([h.counts for h in histograms]),
        }

    return make_probe("activations", probe, FIELDS, 0.5, check)
