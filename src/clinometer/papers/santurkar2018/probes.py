"""The probes of the paper that choose their modules by the network: all norms, all BatchNorm layers."""

from clinometer.measures.batchnorm import batchnorms_of
from clinometer.probes import activations as of_modules
from clinometer.probes import batchnorm_terms as of_batchnorms
from clinometer.probes.base import Step, make_probe
from clinometer.store import Row

_TERMS = of_batchnorms.batchnorm_terms()


def _activations(step: Step) -> Row:
    """The distributions of the outputs of all norms, which stand before the ReLUs."""
    norms = [name for name, _ in step.objective.model.named_modules() if name.endswith(".norm")]
    return of_modules.activations(norms)(step)


def _batchnorm_terms(step: Step) -> Row:
    """The terms of Theorem 4.1 at each BatchNorm layer; no row for a network without one."""
    return _TERMS(step) if batchnorms_of(step.objective.model) else {}


activations = make_probe("activations", _activations, of_modules.FIELDS, 0.5)
batchnorm_terms = make_probe("batchnorm_terms", _batchnorm_terms, of_batchnorms.FIELDS, 1.0)
