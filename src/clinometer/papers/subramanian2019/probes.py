"""The paper's probes: means of units before and after a norm, the sparsity of the gradient, means of weights."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from clinometer.measures.activations import moments
from clinometer.papers.subramanian2019.rows import SITES, THRESHOLDS
from clinometer.papers.subramanian2019.sparsity import sparsity
from clinometer.probes.base import LAYER, Step, make_probe, padded
from clinometer.probes.field import Field
from clinometer.store import Row


def _means(step: Step) -> Row:
    """Mean and variance of each unit at three sites of each layer: one forward pass."""
    modules = {site: _modules(step.objective.model, site) for site in SITES}
    outputs = step.objective.outputs(step.before, [name for names in modules.values() for name in names])
    row: dict[str, object] = {"layer": tuple(name.rpartition(".")[0] for name in modules["conv"])}
    for site, names in modules.items():
        found = [moments(outputs[name]) for name in names]
        row |= {f"{site}_mean": padded([m.mean for m in found]), f"{site}_var": padded([m.var for m in found])}
    return row


def _gradients(step: Step) -> Row:
    """How sparse the loss's gradient by the convolutions' and the head's weights is, as the optimizer got it."""
    weights = [gradient for gradient in step.gradient.values() if gradient.ndim > 1]
    return {
        "threshold": THRESHOLDS,
        "sparsity": sparsity(weights),
        "layers_sparsity": torch.stack([sparsity([gradient]) for gradient in weights]),
    }


def _weights(step: Step) -> Row:
    """The mean of each layer's weight over the deviation of its entries, which no rescaling of the weight changes."""
    weights = [weight for weight in step.before.values() if weight.ndim > 1]
    return {"mean": torch.stack([offset(weight) for weight in weights])}


def offset(weight: Tensor) -> Tensor:
    """The mean of a tensor's entries over their deviation.

    Example:
        >>> offset(torch.tensor([1.0, 3.0]))
        tensor(2.)
    """
    return weight.mean() / weight.std(correction=0)


def _modules(model: nn.Module, site: str) -> Sequence[str]:
    return [name for name, _ in model.named_modules() if name.rpartition(".")[2] == site]


_UNITS = Field(("layer", "unit"), unit="activation", drawing="none")
_FIELDS = {"layer": LAYER} | {
    f"{site}_{moment}": replace(_UNITS, meaning=f"the {word} of each unit of {meaning}")
    for site, meaning in SITES.items()
    for moment, word in (("mean", "mean"), ("var", "biased variance"))
}
_OF_GRADIENTS = {
    "threshold": Field(("threshold",), meaning="shares of the largest magnitude", drawing="none"),
    "sparsity": Field(("threshold",), meaning="the share of weight gradients below that", drawing="none"),
    "layers_sparsity": Field(
        ("weight", "threshold"), meaning="the same within each weight, beside its own largest", drawing="none"
    ),
}
_OF_WEIGHTS = {"mean": Field(("weight",), meaning="the mean of each weight's entries over their deviation")}

means = make_probe("means", _means, _FIELDS, 0.5)
gradients = make_probe("gradients", _gradients, _OF_GRADIENTS, 0.0)
weights = make_probe("weights", _weights, _OF_WEIGHTS, 0.0, evaluates=False)
