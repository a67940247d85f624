"""clinometer: how smooth the loss landscape is where a training run walks.

The instrument (`Recorder` and its probes), the measurements it is made of, and the norms to compare. Studies
and papers are in `clinometer.study` and `clinometer.papers`.
"""

from clinometer.dataset import load
from clinometer.measure.activations import drift, histogram, moments
from clinometer.measure.line import Line, effective_smoothness, gradient_predictiveness, loss_range, walk
from clinometer.measure.objective import Batch, LossFn, Objective
from clinometer.measure.point import Point
from clinometer.measure.rng import RngState
from clinometer.measure.shift import Shift, covariate_shift, layers_of
from clinometer.nn.norms import NORMS
from clinometer.record.budget import within_budget
from clinometer.record.lines import headroom, landscape, noise_floor
from clinometer.record.probes import activations, batchnorm_terms, internal_shift
from clinometer.record.recorder import Probe, Recorder, Step
from clinometer.record.schedules import at, every, log_spaced
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
