"""clinometer: how smooth the loss landscape is where a training run walks.

The instrument (`Recorder` and its probes), the measurements it is made of, and the norms to compare. Studies
and papers are in `clinometer.studies` and `clinometer.papers`.

A name is imported when it is first used, so that commands that measure nothing start without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinometer.learning_rate.learning_rates import LearningRates
    from clinometer.learning_rate.suggest import suggest_lr
    from clinometer.measures.activations import drift, histogram, moments
    from clinometer.measures.covariate_shift import Shift, covariate_shift, layers_of
    from clinometer.measures.critical_step import critical_step
    from clinometer.measures.eigenpairs import top_eigenpairs
    from clinometer.measures.line import Line, effective_smoothness, gradient_predictiveness, loss_range, walk
    from clinometer.measures.plane import Plane, plane
    from clinometer.measures.spectral_density import spectral_density
    from clinometer.nn.norms import NORMS
    from clinometer.nn.norms.swap import swap_norms
    from clinometer.objective.batches import Batches
    from clinometer.objective.objective import Batch, LossFn, Objective
    from clinometer.objective.params import Point
    from clinometer.objective.rng import RngState
    from clinometer.plots.run import plot
    from clinometer.probes.activation_moments import activation_moments
    from clinometer.probes.activations import activations
    from clinometer.probes.attention_logits import attention_logits
    from clinometer.probes.base import Probe, Step
    from clinometer.probes.batch_sharpness import batch_sharpness
    from clinometer.probes.batchnorm_terms import batchnorm_terms
    from clinometer.probes.density import density
    from clinometer.probes.directional_sharpness import directional_sharpness
    from clinometer.probes.field import Field
    from clinometer.probes.generalised_sharpness import generalised_sharpness
    from clinometer.probes.headroom import headroom
    from clinometer.probes.internal_shift import internal_shift
    from clinometer.probes.landscape import landscape
    from clinometer.probes.noise_floor import noise_floor
    from clinometer.probes.noise_scale import noise_scale
    from clinometer.probes.scale_free import scale_free
    from clinometer.probes.sharpness import sharpness
    from clinometer.probes.step_norms import step_norms
    from clinometer.probes.trace import trace
    from clinometer.recorder.alerts.alert import alert
    from clinometer.recorder.budget import within_budget
    from clinometer.recorder.recorder import Recorder
    from clinometer.recorder.schedules import at, every, log_spaced
    from clinometer.results.load import load
    from clinometer.store import Store
    from clinometer.writing.report import report

__all__ = [
    "NORMS",
    "Batch",
    "Batches",
    "Field",
    "LearningRates",
    "Line",
    "LossFn",
    "Objective",
    "Plane",
    "Point",
    "Probe",
    "Recorder",
    "RngState",
    "Shift",
    "Step",
    "Store",
    "activation_moments",
    "activations",
    "alert",
    "at",
    "attention_logits",
    "batch_sharpness",
    "batchnorm_terms",
    "covariate_shift",
    "critical_step",
    "density",
    "directional_sharpness",
    "drift",
    "effective_smoothness",
    "every",
    "generalised_sharpness",
    "gradient_predictiveness",
    "headroom",
    "histogram",
    "internal_shift",
    "landscape",
    "layers_of",
    "load",
    "log_spaced",
    "loss_range",
    "moments",
    "noise_floor",
    "noise_scale",
    "plane",
    "plot",
    "report",
    "scale_free",
    "sharpness",
    "spectral_density",
    "step_norms",
    "suggest_lr",
    "swap_norms",
    "top_eigenpairs",
    "trace",
    "walk",
    "within_budget",
]

_MODULES = {  # where each name is defined; a test compares it with the imports above
    "NORMS": "nn.norms",
    "Batch": "objective.objective",
    "Batches": "objective.batches",
    "Field": "probes.field",
    "LearningRates": "learning_rate.learning_rates",
    "Line": "measures.line",
    "LossFn": "objective.objective",
    "Objective": "objective.objective",
    "Plane": "measures.plane",
    "Point": "objective.params",
    "Probe": "probes.base",
    "Recorder": "recorder.recorder",
    "RngState": "objective.rng",
    "Shift": "measures.covariate_shift",
    "Step": "probes.base",
    "Store": "store",
    "activation_moments": "probes.activation_moments",
    "activations": "probes.activations",
    "alert": "recorder.alerts.alert",
    "at": "recorder.schedules",
    "attention_logits": "probes.attention_logits",
    "batch_sharpness": "probes.batch_sharpness",
    "batchnorm_terms": "probes.batchnorm_terms",
    "covariate_shift": "measures.covariate_shift",
    "critical_step": "measures.critical_step",
    "density": "probes.density",
    "directional_sharpness": "probes.directional_sharpness",
    "drift": "measures.activations",
    "effective_smoothness": "measures.line",
    "every": "recorder.schedules",
    "generalised_sharpness": "probes.generalised_sharpness",
    "gradient_predictiveness": "measures.line",
    "headroom": "probes.headroom",
    "histogram": "measures.activations",
    "internal_shift": "probes.internal_shift",
    "landscape": "probes.landscape",
    "layers_of": "measures.covariate_shift",
    "load": "results.load",
    "log_spaced": "recorder.schedules",
    "loss_range": "measures.line",
    "moments": "measures.activations",
    "noise_floor": "probes.noise_floor",
    "noise_scale": "probes.noise_scale",
    "plane": "measures.plane",
    "plot": "plots.run",
    "report": "writing.report",
    "scale_free": "probes.scale_free",
    "spectral_density": "measures.spectral_density",
    "step_norms": "probes.step_norms",
    "suggest_lr": "learning_rate.suggest",
    "swap_norms": "nn.norms.swap",
    "top_eigenpairs": "measures.eigenpairs",
    "trace": "probes.trace",
    "sharpness": "probes.sharpness",
    "walk": "measures.line",
    "within_budget": "recorder.budget",
}


def __getattr__(name: str) -> Any:
    """Import a public name's module and return the name (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value


def __dir__() -> list[str]:
    """List the public names, whether they are imported yet or not."""
    return sorted({*globals(), *__all__})
