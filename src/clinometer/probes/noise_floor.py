"""The numerical noise floor at a step."""

from clinometer.measures.noise_floor import noise_floor as measure_noise_floor
from clinometer.probes.base import Probe, Step, make_probe
from clinometer.probes.field import Field
from clinometer.store import Row

FIELDS = {
    "loss": Field(unit="loss", meaning="how much rounding changes the loss", headline=True, label="noise of the loss"),
    "grad_gap": Field(unit="loss / parameter", meaning="how much rounding changes the gradient, as a norm"),
    "distance": Field(unit="parameter", meaning="how far the rounding moves the parameters, as a norm", drawing="none"),
}


def noise_floor() -> Probe:
    """How much rounding alone changes loss and gradient: differences that are no larger mean nothing.

    Fields: `loss`, `grad_gap` and `distance` as in `Noise`. Cost: one forward-backward pass and
    three forward passes.
    """

    def probe(step: Step) -> Row:
        return vars(measure_noise_floor(step.objective, step.before, start=step.start))

    return make_probe("noise_floor", probe, FIELDS, 2.0)  # three forward passes are about one more
