"""Mean, variance, kurtosis and the largest magnitude of what each layer returns at a step."""

from collections.abc import Sequence

import torch
from torch import nn

from clinometer.measures.activation_moments import activation_moments as measure_moments
from clinometer.measures.covariate_shift import layers_of
from clinometer.objective.hooks import submodule
from clinometer.probes.base import LAYER, Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.probes.per_block import shown
from clinometer.store import Row

FIELDS = {
    "layer": LAYER,
    "mean": Field(("layer",), unit="activation", meaning="the mean of all entries of each layer's output"),
    "var": Field(("layer",), unit="activation²", meaning="their biased variance"),
    "kurtosis": Field(
        ("layer",), meaning="their fourth central moment over the squared variance: 3 for a Gaussian", headline=True
    ),
    "largest": Field(("layer",), unit="activation", meaning="the largest magnitude among them", headline=True),
}


@probe_factory
def activation_moments(modules: Sequence[str] | None = None) -> Probe:
    """Mean, variance, kurtosis and largest magnitude of each layer's outputs at the start of the step, on its batch.

    Fields: `layer` (layers,) names; `mean`, `var`, `kurtosis` and `largest` (layers,), over batch, units and space
    together; NaN for a layer that does not run. Cost: one forward pass.

    Args:
        modules: Names of submodules (see `model.named_modules()`); by default those of the layers that `layers_of`
            finds.

    Raises:
        ValueError: when the recorder is made, if the model has no such submodule, or no layer.
    """

    def chosen(model: nn.Module) -> list[str]:
        if modules is not None:
            return list(modules)
        known = dict(model.named_modules())
        return [name for name in layers_of(model) if name in known]  # a weight of the model's own is no module

    def check(model: nn.Module) -> None:
        names = chosen(model)
        if not names:
            raise ValueError("activation_moments found no layer that is a submodule; pass it names of submodules.")
        for name in names:
            submodule(model, name)

    def probe(step: Step) -> Row:
        found = measure_moments(step.objective, step.before, chosen(step.objective.model))
        values = torch.tensor([(m.mean, m.var, m.kurtosis, m.largest) for m in found.values()], dtype=torch.float64)
        return {"layer": shown(found)} | dict(zip(list(FIELDS)[1:], values.T, strict=True))

    return make_probe("activation_moments", probe, FIELDS, 0.5, check)
