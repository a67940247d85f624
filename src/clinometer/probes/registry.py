"""The list of probes. Tests, study files, the README and the docs take the probes from here."""

from collections.abc import Callable, Mapping

from clinometer.probes.activation_moments import activation_moments
from clinometer.probes.activations import activations
from clinometer.probes.attention_logits import attention_logits
from clinometer.probes.base import Probe
from clinometer.probes.batch_sharpness import batch_sharpness
from clinometer.probes.batchnorm_terms import batchnorm_terms
from clinometer.probes.density import density
from clinometer.probes.directional_sharpness import directional_sharpness
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

PROBES: Mapping[str, Callable[..., Probe]] = {
    "landscape": landscape,
    "headroom": headroom,
    "internal_shift": internal_shift,
    "activations": activations,
    "batchnorm_terms": batchnorm_terms,
    "trace": trace,
    "density": density,
    "noise_floor": noise_floor,
    "noise_scale": noise_scale,
    "sharpness": sharpness,
    "batch_sharpness": batch_sharpness,
    "directional_sharpness": directional_sharpness,
    "scale_free": scale_free,
    "generalised_sharpness": generalised_sharpness,
    "step_norms": step_norms,
    "activation_moments": activation_moments,
    "attention_logits": attention_logits,
}
