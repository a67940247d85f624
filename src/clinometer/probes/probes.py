"""Probes: what to measure at a step. Each is a function from a `Step` to a row of named arrays.

The functions here make probes, so that their arguments are said once. A new probe is one function.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim import Optimizer

from clinometer.measures import activations as act
from clinometer.measures.batchnorm import batchnorms_of, gradient_terms
from clinometer.measures.covariate_shift import Layers, check_layers, covariate_shift, layers_of
from clinometer.objective.dtensor import whole
from clinometer.objective.hooks import submodule
from clinometer.probes.base import Probe, Step
from clinometer.store import Row

Check = Callable[[nn.Module, Optimizer | None], None]


def internal_shift(layers: Layers | None = None, *, only: Collection[str] | None = None) -> Probe:
    """Definition 2.1: what the step just taken did to each layer's gradient through the layers before it.

    Fields: `layer` (layers,) names, `l2`, `cosine` (layers,). Cost: one forward-backward pass per measured
    layer after the first, and the gradient at the start, which the step's other probes share.

    Args:
        layers: Layer name to parameter names, weight first; `layers_of(model)` by default.
        only: The layers to measure; all by default.
    Source: Santurkar et al. (2018), Definition 2.1, Figure 3.
    """

    def check(model: nn.Module, _optimizer: Optimizer | None) -> None:
        chosen = layers_of(model) if layers is None else layers
        check_layers(chosen, dict(model.named_parameters()), only)

    def probe(step: Step) -> Row:
        chosen = layers_of(step.objective.model) if layers is None else layers
        shift = covariate_shift(step.objective, step.before, step.after, chosen, only=only, start=step.start)
        return {"layer": shift.layers, "l2": shift.l2, "cosine": shift.cosine}

    return made("internal_shift", probe, 8.0 if only is None else len(only), check)


def activations(modules: Sequence[str], *, unit: int = 0, bins: int = 40) -> Probe:
    """The distributions of some modules' outputs at the step's start, on its batch.

    Fields: `layer` (layers,) names; `mean`, `var` (layers, units), padded with NaN to the widest layer;
    `edges` (layers, bins + 1) and `counts` (layers, bins), the histogram of one unit. Cost: one forward pass.

    Args:
        modules: Names of submodules (see `model.named_modules()`) with outputs of shape (N, C, ...).
        unit: The unit whose histogram is kept.
        bins: How many bins.
    Source: Santurkar et al. (2018), Figures 1(c), 2, 6, 8.
    """
    names = tuple(modules)
    if unit < 0 or bins < 1 or not names:
        raise ValueError(f"expected modules, a unit from 0 and bins from 1; found {names}, {unit} and {bins}.")

    def check(model: nn.Module, _optimizer: Optimizer | None) -> None:
        for name in names:
            submodule(model, name)

    def probe(step: Step) -> Row:
        outputs = step.objective.outputs(step.before, names)
        moments = [act.moments(outputs[name]) for name in names]
        histograms = [act.histogram(act.units(outputs[name])[unit], bins) for name in names]
        return {
            "layer": names,
            "mean": _padded([m.mean for m in moments]),
            "var": _padded([m.var for m in moments]),
            "edges": torch.stack([h.edges for h in histograms]),
            "counts": torch.stack([h.counts for h in histograms]),
        }

    return made("activations", probe, 0.5, check)


def batchnorm_terms() -> Probe:
    """Theorem 4.1 on a living network: what each BatchNorm layer does to the gradient that passes through it.

    Fields: `layer` (layers,) names; the terms of ‖∇_y L‖² = scale · (gradient − mean − correlation) as in
    `GradientTerms`, and `passed`, ‖∇_y L‖² as backpropagation has it: (layers, units), padded with NaN to the
    widest layer. Cost: one forward-backward pass.

    Raises:
        ValueError: from the recorder, if no BatchNorm layer normalizes by the batch.
    Source: Santurkar et al. (2018), Theorem 4.1.
    """

    def check(model: nn.Module, _optimizer: Optimizer | None) -> None:
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
            gamma = whole(step.before.get(f"{name}.weight", layer.weight))
            found = gradient_terms(signal.input, signal.output_gradient, gamma, layer.eps)
            for term, value in vars(found).items():
                terms.setdefault(term, []).append(value)
            terms.setdefault("passed", []).append(act.units(signal.input_gradient).double().square().sum(1))
        return {"layer": names} | {term: _padded(values) for term, values in terms.items()}

    return made("batchnorm_terms", probe, 1.0, check)


def made(name: str, probe: Probe, cost: float, check: Check | None = None) -> Probe:
    """The function as a probe: with its name, its cost in forward-backward passes, and its check if it has one.

    The pass at the start of the step, which its probes share, is not counted.
    """
    vars(probe).update({"cost": cost} | ({"check": check} if check else {}))
    probe.__name__ = name
    return probe


def _padded(rows: list[Tensor]) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=torch.nan)
