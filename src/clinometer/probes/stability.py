"""The curvature above which an optimizer's steps are unstable: 2/lr for gradient descent, and others for others."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.computed import Computed
from clinometer.objective.params import Point, norm
from clinometer.probes.base import Step
from clinometer.probes.optimizer_kinds import KINDS, Kind, Settings, State, decay_is_decoupled

_MEMORY = {"momentum", "betas", "beta", "beta1", "mu"}  # settings of optimizers that remember earlier gradients
_EQUAL = 1e-3  # by which share an update may differ from gradient descent's for reasons of precision


@dataclass(frozen=True)
class Stability:
    """Up to which curvature the steps of an optimizer are stable on a quadratic loss."""

    threshold: float = math.nan  # that curvature, of P⁻¹H with a preconditioner P; NaN where it is not known
    preconditioner: Point | None = None  # the diagonal of P
    plain: bool = False  # whether the optimizer is gradient descent with one learning rate: the threshold is then 2/lr
    lr: float = math.nan  # that learning rate, with the factor that the gradient was multiplied by
    maximizes: bool = False  # whether it goes uphill: the curvature is then that of −H
    reason: str = ""  # why the threshold is not known


def stability_of(step: Step) -> Stability:
    """The stability threshold of the optimizer that took a step, at the learning rate of that step.

        gradient descent  2/η          heavy ball  2(1 + μ)/((1 − τ)η), dampening τ      Nesterov  2(1 + μ)/(η(1 + 2μ))
        Adagrad           2/η          RMSprop     2(1 + μ)/η, momentum μ
        Adam, RAdam, Adamax            (1 + a)(1 + β₁)/((1 − β₁)η), where a = 1 − ηλ; 38/η for β₁ = 0.9 and λ = 0
        NAdam             (1 + a)(1 + β₁)/(r(1 + β₁) + s(1 − β₁)), with the shares r of the gradient, s of its average

    Weight decay λ adds λ to each curvature of SGD, and is subtracted there. AdamW, RAdam and NAdam may shrink the
    weights beside the step instead, which is a. For all but SGD the curvature is that of P⁻¹H, with the diagonal P that
    the step divided by, held still: P = (1 − β₁ᵗ)(√(v/(1 − β₂ᵗ)) + ε) for Adam. Where such a method divides its weight
    decay by P too, the curvature would be that of P⁻¹(H + λI), and the threshold is NaN. An optimizer of another class
    is gradient descent where its update is −η g. Where the gradient was multiplied by a factor, such as by clipping,
    the threshold is divided by it; where each parameter's part had a factor of its own, it is NaN. The optimizer's
    state is read now: ask before it steps again.

    Cost: none; for an optimizer of another class one pass over the parameters, for those with P a copy of them.
    Source: Cohen et al. (2021), arXiv:2103.00065, and (2022), arXiv:2207.14484; for the others, the roots of the
    characteristic polynomial of their step.

    Example:
        >>> from clinometer import Objective
        >>> model = torch.nn.Linear(1, 1, bias=False)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        >>> objective = Objective(model, lambda m, _: m.weight.square().sum(), None)
        >>> here = objective.here()
        >>> round(stability_of(Step(0, objective, here, here, 0.1, {"weight": 0.1}, (optimizer,))).threshold, 6)
        38.0
    """
    if step.lr is None or not 0 < step.lr < math.inf:
        return Stability(reason="the step has no single, finite learning rate above 0")
    if len(step.optimizers) > 1:
        return Stability(reason="several optimizers took the step")
    found = step.agreement
    if found is not None and found.by_parts(step.rounding):
        return Stability(reason="each parameter's gradient was multiplied by a factor of its own, as by clipping")
    lr = step.lr * step.factor
    optimizer: Any = next(iter(step.optimizers), None)
    kind = KINDS.get(type(optimizer))
    if kind:
        return _of_kind(step, optimizer, kind)
    name = type(optimizer).__name__
    if optimizer is not None and _remembers(optimizer):
        return Stability(reason=f"up to which curvature {name} is stable is not known")
    if not _descends(step, lr):
        return Stability(reason=f"the update of {name if optimizer else 'the step'} is not −lr times the gradient")
    return Stability(2 / lr, plain=True, lr=lr, maximizes=min(step.rates.values()) < 0)


def _of_kind(step: Step, optimizer: Any, kind: Kind) -> Stability:
    lr = float(step.lr or math.nan)
    thresholds = {kind.threshold(group, state, lr) / step.factor for group, state in _parameters(optimizer, kind)}
    directions = {bool(group.get("maximize")) for group in optimizer.param_groups}
    preconditioner = None if kind.diagonal is None else _preconditioner(step, optimizer, kind)
    if any(kind.diagonal and g["weight_decay"] and not decay_is_decoupled(g) for g in _groups(optimizer)):
        return Stability(
            preconditioner=preconditioner,
            reason=f"{type(optimizer).__name__} divides its weight decay by the preconditioner as well",
        )
    if len(thresholds) != 1 or len(directions) > 1:
        return Stability(reason="parameters are moved by different settings" if thresholds else "nothing was moved")
    (threshold,), (maximizes,) = thresholds, directions
    if not threshold > 0:
        return Stability(preconditioner=preconditioner, reason="these settings are stable at no curvature above 0")
    plain = isinstance(optimizer, torch.optim.SGD) and all(g["momentum"] == 0 for g in optimizer.param_groups)
    return Stability(threshold, preconditioner, plain, lr * step.factor, maximizes)


def _groups(optimizer: Any) -> list[Settings]:
    """The settings of each group; AdamW says since torch 2.7 that its decay is decoupled."""
    said = {"decoupled_weight_decay": True} if isinstance(optimizer, torch.optim.AdamW) else {}
    return [group | said for group in optimizer.param_groups]


def _parameters(optimizer: Any, kind: Kind) -> Iterator[tuple[Settings, State]]:
    """The settings and state of each parameter that has been moved."""
    for group in _groups(optimizer):
        for p in group["params"]:
            if kind.diagonal is None or optimizer.state.get(p):
                yield group, optimizer.state.get(p, {})


def _preconditioner(step: Step, optimizer: Any, kind: Kind) -> Point:
    """The diagonal of the matrix by whose inverse the optimizer multiplied; 1 for what it has not moved."""
    groups = {id(p): group for group in _groups(optimizer) for p in group["params"]}

    def diagonal(p: Tensor) -> Tensor:
        state = optimizer.state.get(p)
        return kind.diagonal(groups[id(p)], state) if state and kind.diagonal else torch.ones_like(p)

    return {name: diagonal(p) for name, p in step.objective.live.items()}


def _remembers(optimizer: Any) -> bool:
    """Whether an optimizer may use more than the gradient of its step, so that its first step alone is like descent."""
    settings = {name for group in optimizer.param_groups for name, value in group.items() if value}
    return type(optimizer).__module__.startswith("torch.optim") or bool(settings & _MEMORY)


def _descends(step: Step, lr: float) -> bool:
    """Whether the step went along minus the gradient, as far as this learning rate says."""
    factor = -lr if min(step.rates.values()) > 0 else lr
    update = step.update
    rest = Computed(update, lambda name: update[name] - step.gradient[name] * factor)
    return bool(norm(rest) <= _EQUAL * norm(update))
