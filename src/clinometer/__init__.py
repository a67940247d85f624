"""clinometer: how smooth the loss landscape is where a training run walks.

The instrument (`Recorder` and its probes), the measurements it is made of, and the norms to compare. Studies
and papers are in `clinometer.studies` and `clinometer.papers`.
"""

from clinometer.measures.activations import drift, histogram, moments
from clinometer.measures.covariate_shift import Shift, covariate_shift, layers_of
from clinometer.measures.line import Line, effective_smoothness, gradient_predictiveness, loss_range, walk
from clinometer.nn.norms import NORMS
from clinometer.objective.objective import Batch, LossFn, Objective
from clinometer.objective.params import Point
from clinometer.objective.rng import RngState
from clinometer.probes.activations import activations
from clinometer.probes.base import Probe, Step
from clinometer.probes.batchnorm_terms import batchnorm_terms
from clinometer.probes.headroom import headroom
from clinometer.probes.internal_shift import internal_shift
from clinometer.probes.landscape import landscape
from clinometer.probes.noise_floor import noise_floor
from clinometer.recorder.budget import within_budget
from clinometer.recorder.recorder import Recorder
from clinometer.recorder.schedules import at, every, log_spaced
from clinometer.results.load import load
from clinometer.store import Store

__all__ = [
    "NORMS",
    "Batch",
    "Line",
    "LossFn",
    "Objective",
    "Point",
    "Probe",
    "Recorder",
    "RngState",
    "Shift",
    "Step",
    "Store",
    "activations",
    "at",
    "batchnorm_terms",
    "covariate_shift",
    "drift",
    "effective_smoothness",
    "every",
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
    "walk",
    "within_budget",
]
