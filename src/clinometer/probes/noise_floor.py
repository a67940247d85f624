"""The numerical noise floor at a step."""

from collections.abc import Iterable

from clinometer.measures.noise_floor import noise_floor as measure_noise_floor
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.probes.base import Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.store import Row

FIELDS = {
    "loss": Field(unit="loss", meaning="how much rounding changes the loss", headline=True, label="noise of the loss"),
    "grad_gap": Field(unit="loss / parameter", meaning="how much rounding changes the gradient, as a norm"),
    "distance": Field(unit="parameter", meaning="how far the rounding moves the parameters, as a norm", drawing="none"),
}


@probe_factory
def noise_floor(*, batches: Iterable[Batch] | Batches | None = None) -> Probe:
    """How much rounding alone changes loss and gradient: differences that are no larger mean nothing.

    Fields: `loss`, `grad_gap` and `distance` as in `Noise`. Cost: one forward-backward pass and
    three forward passes.

    Args:
        batches: Measure the mean loss of these instead of the step's own batch: a list, a loader, or `Batches`. Rows
            are named `noise_floor_batches`; each pass becomes one a batch.
    """
    measured_on = Batches.of(batches)

    def probe(step: Step) -> Row:
        on = step.on(measured_on)
        return vars(measure_noise_floor(on.objective, on.before, start=on.start))

    # Three forward passes are about one more.
    return make_probe("noise_floor", probe, FIELDS, 2.0, batches=measured_on)
