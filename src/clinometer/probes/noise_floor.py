"""The numerical noise floor at a step."""

from clinometer.measures.noise_floor import noise_floor as measure_noise_floor
from clinometer.probes.base import Probe, Step, make_probe
from clinometer.store import Row


def noise_floor() -> Probe:
    """What rounding alone does to loss and gradient: differences that are no larger say nothing.

    Fields: `loss`, `grad_gap` and `distance` as in `Noise`. Cost: one forward-backward pass.
    """

    def probe(step: Step) -> Row:
        return vars(measure_noise_floor(step.objective, step.before, start=step.start))

    return make_probe("noise_floor", probe, 1.0)
