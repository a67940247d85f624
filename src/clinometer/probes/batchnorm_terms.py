"""The terms of Theorem 4.1 at each BatchNorm layer of a network in training."""

from typing import Any

from torch import Tensor, nn

from clinometer.measures.activations import units
from clinometer.measures.batchnorm import batchnorms_of, gradient_terms
from clinometer.objective.dtensor import full_tensor
from clinometer.objective.hooks import submodule
from clinometer.probes.base import LAYER, Probe, Step, make_probe, padded, probe_factory
from clinometer.probes.field import Field
from clinometer.store import Row


def _per_unit(unit: str, meaning: str) -> Field:
    return Field(("layer", "unit"), unit, meaning, drawing="none")


FIELDS = {
    "layer": LAYER,
    "scale": _per_unit("1 / activation²", "γ²/σ², by which the layer scales the squared gradient"),
    "gradient": _per_unit("(loss / activation)²", "‖g‖², the squared gradient at the layer's output"),
    "mean": _per_unit("(loss / activation)²", "⟨1, g⟩²/m, what the layer takes out with the gradient's mean"),
    "correlation": _per_unit(
        "(loss / activation)²", "(2 − r)⟨g, ŷ⟩²/m, what it takes out with the correlation to its normalized input"
    ),
    "passed": _per_unit("(loss / activation)²", "‖∇y L‖², the squared gradient at its input, by backpropagation"),
}


@probe_factory
def batchnorm_terms() -> Probe:
    """What each BatchNorm layer does to the gradient that passes through it, by the terms of Theorem 4.1.

    Fields: `layer` (layers,) names; the terms of ‖∇_y L‖² = scale · (gradient − mean − correlation) as in
    `GradientTerms`, and `passed`, ‖∇_y L‖² as backpropagation has it: (layers, units), padded with NaN to the
    widest layer. Cost: one forward-backward pass.

    Raises:
        ValueError: from the recorder, if no BatchNorm layer normalizes by the batch.
    Source: Santurkar et al. (2018), Theorem 4.1.
    """

    def check(model: nn.Module) -> None:
        if not batchnorms_of(model):
            raise ValueError(
                "batchnorm_terms() needs a BatchNorm layer that normalizes by the batch; "
                f"{type(model).__name__} has none."
            )

    def probe(step: Step) -> Row:
        model = step.objective.model
        names = batchnorms_of(model)
        signals = step.objective.signals(step.before, names)
        terms: dict[str, list[Tensor]] = {}
        for name, signal in signals.items():
            layer: Any = submodule(model, name)
            # The layer's own where it is frozen or absent.
            gamma = full_tensor(step.before.get(f"{name}.weight", layer.weight))
            found = gradient_terms(signal.input, signal.output_gradient, gamma, layer.eps)
            for term, value in vars(found).items():
                terms.setdefault(term, []).append(value)
            terms.setdefault("passed", []).append(units(signal.input_gradient).double().square().sum(1))
        return {"layer": names} | {term: padded(values) for term, values in terms.items()}

    return make_probe("batchnorm_terms", probe, FIELDS, 1.0, check)
