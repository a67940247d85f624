"""The internal covariate shift of each layer at a step."""

from collections.abc import Collection, Iterable

from torch import nn

from clinometer.measures.covariate_shift import Layers, check_layers, covariate_shift, layers_of
from clinometer.objective.batches import Batches
from clinometer.objective.objective import Batch
from clinometer.probes.base import LAYER, Probe, Step, make_probe, probe_factory
from clinometer.probes.field import Field
from clinometer.store import Row

FIELDS = {
    "layer": LAYER,
    "l2": Field(
        ("layer",),
        unit="loss / parameter",
        meaning="how much the layer's weight gradient changed because the layers before it moved, ‖G − G′‖",
        headline=True,
        worst="highest",
    ),
    "cosine": Field(
        ("layer",),
        meaning="the cosine between the layer's weight gradient before and after the layers before it moved",
        headline=True,
        worst="lowest",
    ),
}


@probe_factory
def internal_shift(
    layers: Layers | None = None,
    *,
    only: Collection[str] | None = None,
    batches: Iterable[Batch] | Batches | None = None,
) -> Probe:
    """How much each layer's gradient changes because the step moved the layers before it (Definition 2.1).

    Fields: `layer` (layers,) names, `l2`, `cosine` (layers,). Cost: less than one forward-backward pass for each
    measured layer after the first.

    Args:
        layers: Layer name to parameter names, weight first; `layers_of(model)` by default.
        only: The layers to measure; all by default.
        batches: Measure the mean loss of these instead of the step's own batch: a list, a loader, or `Batches`. Rows
            are named `internal_shift_batches`; each pass becomes one a batch.
    Source: Santurkar et al. (2018), Definition 2.1, Figure 3.
    """
    measured_on = Batches.of(batches)

    def check(model: nn.Module) -> None:
        chosen = layers_of(model) if layers is None else layers
        check_layers(chosen, dict(model.named_parameters()), only)

    def probe(step: Step) -> Row:
        chosen = layers_of(step.objective.model) if layers is None else layers
        on = step.on(measured_on)
        shift = covariate_shift(on.objective, on.before, on.after, chosen, only=only, start=on.start)
        return {"layer": shift.layers, "l2": shift.l2, "cosine": shift.cosine}

    return make_probe("internal_shift", probe, FIELDS, 8.0 if only is None else len(only), check, batches=measured_on)
