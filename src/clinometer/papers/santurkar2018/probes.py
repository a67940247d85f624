"""The probes of the paper that choose their modules by the network: the sites around all norms, all BatchNorm layers.

A layer's values are looked at where they leave its convolution or linear map, where they leave its norm, and where they
leave its ReLU, if it has one: there they are what the next layer receives, but for pooling. The norm of the standard
network is the identity. Histograms are drawn of the norms' outputs alone, so the other two sites have moments only.
"""

from collections.abc import Sequence

from torch import nn

from clinometer.measures.activations import moments
from clinometer.measures.batchnorm import batchnorms_of
from clinometer.probes import activations as of_modules
from clinometer.probes import batchnorm_terms as of_batchnorms
from clinometer.probes.base import Step, make_probe, padded
from clinometer.store import Row

_TERMS = of_batchnorms.batchnorm_terms()
_MOMENTS = {name: of_modules.FIELDS[name] for name in ("layer", "mean", "var")}


def _activations(step: Step) -> Row:
    """The distributions of the outputs of all norms, which stand before the ReLUs."""
    return of_modules.activations(_modules(step.objective.model, "norm"))(step)


def _before_norm(step: Step) -> Row:
    """Means and variances of what the norms are given."""
    return _moments(step, _modules(step.objective.model, "conv", "linear"))


def _after_relu(step: Step) -> Row:
    """Means and variances of the outputs of all ReLUs; no row for a network without one."""
    return _moments(step, _modules(step.objective.model, "relu"))


def _batchnorm_terms(step: Step) -> Row:
    """The terms of Theorem 4.1 at each BatchNorm layer; no row for a network without one."""
    return _TERMS(step) if batchnorms_of(step.objective.model) else {}


def _moments(step: Step, modules: Sequence[str]) -> Row:
    if not modules:
        return {}
    outputs = step.objective.outputs(step.before, modules)
    found = [moments(outputs[name]) for name in modules]
    return {"layer": tuple(modules), "mean": padded([m.mean for m in found]), "var": padded([m.var for m in found])}


def _modules(model: nn.Module, *names: str) -> list[str]:
    """The modules that have one of these names within their layer, from the input on."""
    return [name for name, _ in model.named_modules() if name.rpartition(".")[2] in names]


activations = make_probe("activations", _activations, of_modules.FIELDS, 0.5)
activations_before_norm = make_probe("activations_before_norm", _before_norm, _MOMENTS, 0.5)
activations_after_relu = make_probe("activations_after_relu", _after_relu, _MOMENTS, 0.5)
batchnorm_terms = make_probe("batchnorm_terms", _batchnorm_terms, of_batchnorms.FIELDS, 1.0)
