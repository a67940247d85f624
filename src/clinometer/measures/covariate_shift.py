"""Internal covariate shift: how much the gradient of a layer changes because the layers before it moved."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clinometer.objective.objective import Objective
from clinometer.objective.params import Point, gap_and_cosine
from clinometer.objective.reuse import owner_of, watch_reuse
from clinometer.readable.results import readable

Layers = Mapping[str, tuple[str, ...]]  # a layer's name -> its parameters' names, its weight first


@readable
@dataclass(frozen=True)
class Shift:
    """‖G − G′‖ and cos(G, G′) of each layer's weight gradient."""

    layers: tuple[str, ...]  # in the order of the network
    l2: Tensor  # (layers,) ‖G − G′‖₂
    cosine: Tensor  # (layers,) cos(G, G′)


def layers_of(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """The model's layers: one per module that owns a trainable weight of two or more dimensions.

    They come in registration order, each with its own bias and the affine parameters that follow it
    (BatchNorm's, say). Parameters that precede every weight go with the first layer; a weight that the model
    itself owns is named after its parameter.

    Args:
        model: Any module whose registration order is its order of computation; otherwise write the mapping by hand.

    Returns:
        A mapping from layer name to parameter names, the weight first.

    Raises:
        ValueError: if no trainable parameter has two dimensions.

    Example:
        >>> layers_of(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)))
        {'0': ('0.weight', '0.bias', '1.weight', '1.bias'), '3': ('3.weight', '3.bias')}
    """
    owners: dict[str, list[str]] = {}
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}  # a tied one has its first name
    for name in trainable:
        owners.setdefault(owner_of(name), []).append(name)
    layers: dict[str, tuple[str, ...]] = {}
    leading: list[str] = []
    for owner, names in owners.items():
        weight = _weight({name: trainable[name] for name in names})
        if weight is not None:
            layers[owner or weight] = (weight, *leading, *(name for name in names if name != weight))
            leading = []
        elif layers:
            layers[next(reversed(layers))] += tuple(names)
        else:
            leading += names
    if not layers:
        raise ValueError("the model has no trainable weight of two or more dimensions, so no layer to measure.")
    return layers


def _weight(parameters: Mapping[str, Tensor]) -> str | None:
    """The first parameter of two or more dimensions. Weight norm's magnitudes, one per output, come last."""
    matrices = [name for name, p in parameters.items() if p.ndim >= 2]
    directions = [name for name in matrices if parameters[name].numel() > max(parameters[name].shape)]
    return next(iter(directions or matrices), None)


def covariate_shift(
    objective: Objective,
    before: Point,
    after: Point,
    layers: Layers,
    *,
    only: Collection[str] | None = None,
    start: tuple[Tensor, Point] | None = None,
) -> Shift:
    """Definition 2.1: the internal covariate shift that the step `before` → `after` caused in each layer.

        G_i  = ∇_{W_i} L(W_1, …, W_k)
        G′_i = ∇_{W_i} L(W_1⁺, …, W_{i−1}⁺, W_i, …, W_k)

    on the same batch with the same random draws; ⁺ marks values after the step. Layers before i take their
    whole update (weight, bias, affine); the weight's gradient is compared. For the first layer l2 is 0 and
    the cosine 1. Cost: one forward-backward pass for G, and one per measured layer after the first, whose
    backward pass ends at that layer.

    Args:
        objective: The frozen loss of that training step.
        before: The parameters before the step, W.
        after: The parameters after it, W⁺.
        layers: Layer name to parameter names, weight first, in order of computation; see `layers_of`.
        only: The layers to measure; all by default.
        start: Loss and gradient at `before`, if already computed.

    Returns:
        A `Shift`; `l2` in units of loss per parameter.

    Raises:
        ValueError: if a layer names a parameter that `before` lacks, or `only` a layer that does not exist; or if a
            measured layer after the first is run again on what came of its own weight, as in a recurrence.
    Source: Santurkar et al. (2018), Definition 2.1 and Figure 3.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False))
        >>> objective = Objective(model, lambda m, x: m(x).sum(), torch.ones(1, 2))
        >>> x = {"0.weight": torch.eye(2), "1.weight": torch.ones(1, 2)}
        >>> moved = {"0.weight": 2 * torch.eye(2), "1.weight": torch.ones(1, 2)}
        >>> covariate_shift(objective, x, moved, layers_of(model)).l2     # layer 1 sees (2, 2) for (1, 1)
        tensor([0.0000, 1.4142])
    """
    measured = check_layers(layers, before, only)
    gradient = (start or objective.loss_and_grad(before))[1]
    l2: list[Tensor] = []
    cosines: list[Tensor] = []
    at = dict(before)
    for index, (layer, names) in enumerate(layers.items()):
        if layer in measured:
            weight = names[0]
            ours = {weight: gradient[weight]}
            moved = _moved_gradient(objective, at, layer, weight) if index else ours
            gap, cosine = gap_and_cosine(ours, moved)
            l2.append(gap)
            cosines.append(cosine)
        at |= {name: after[name] for name in names}
    return Shift(measured, torch.stack(l2), torch.stack(cosines))


def _moved_gradient(objective: Objective, at: Point, layer: str, weight: str) -> Point:
    """The gradient by a layer's weight where the layers before it have moved; ValueError if none are before it."""
    with watch_reuse(objective.model, weight) as reuse:
        gradient = objective.loss_and_grad(at, wrt={weight})[1]
    if reuse.found:
        raise ValueError(
            f"layer {layer!r} is run again, in one pass, on what came of its own {weight!r}: in a recurrence no layers "
            "stand before it, as Definition 2.1 asks. Pass `only=` with the layers that are run once, or `layers=` in "
            "which all of the recurrence is one layer, the first."
        )
    return gradient


def check_layers(layers: Layers, before: Point, only: Collection[str] | None) -> tuple[str, ...]:
    """The layers to measure; ValueError if a named layer or parameter does not exist."""
    for layer, names in layers.items():
        missing = [name for name in names if name not in before]
        if missing or not names:
            raise ValueError(
                f"layer {layer!r} names {missing[0]!r}, which is not a trainable parameter."
                if missing
                else f"layer {layer!r} names no parameter; give its weight first, e.g. ('fc.weight', 'fc.bias')."
            )
    chosen = tuple(layers) if only is None else tuple(layer for layer in layers if layer in only)
    unknown = [layer for layer in only or () if layer not in layers]
    if unknown or not chosen:
        raise ValueError(f"no layer {', '.join(map(repr, unknown)) or 'chosen'}; there are {', '.join(layers)}.")
    return chosen
