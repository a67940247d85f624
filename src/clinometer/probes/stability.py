"""The curvature above which an optimizer's steps are unstable: 2/lr for gradient descent, and others for others."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clinometer.objective.params import Point, norm, scale, sub
from clinometer.probes.base import Step

_MEMORY = {"momentum", "betas", "beta", "beta1", "mu"}  # settings of optimizers that remember earlier gradients
_EQUAL = 1e-3  # by which share an update may differ from gradient descent's for reasons of precision


@dataclass(frozen=True)
class Stability:
    """Up to which curvature the steps of an optimizer are stable on a quadratic loss."""

    threshold: float = math.nan  # that curvature, of P⁻¹H with a preconditioner P; NaN where it is not known
    preconditioner: Point | None = None  # the diagonal of P
    plain: bool = False  # whether the optimizer is gradient descent with one learning rate: the threshold is then 2/lr
    lr: float = math.nan  # that learning rate, with the factor that the gradient was multiplied by


def stability_of(step: Step) -> Stability:
    """The stability threshold of the optimizer that took a step, at the learning rate of that step.

        gradient descent 2/η,   heavy ball 2(1 + μ)/η,   Nesterov 2(1 + μ)/(η(1 + 2μ)),   Adam (2 + 2β₁)/((1 − β₁)η)

    With dampening τ, as torch.optim.SGD has it, the heavy ball's is 2(1 + μ)/((1 − τ)η); weight decay λ adds λ to each
    curvature of SGD, and is subtracted here. For Adam, AdamW and RMSprop the curvature is that of P⁻¹H, with the
    preconditioner P that the step used, held still: P = (1 − β₁ᵗ)(√(v/(1 − β₂ᵗ)) + ε). Adam with weight decay in its
    gradient is not known. An optimizer of another class is gradient descent where its update is −η g. The optimizer's
    state is read now: ask before it steps again.

    Cost: none; for an optimizer of another class one pass over the parameters, for Adam a copy of them.
    Source: Cohen et al. (2021), arXiv:2103.00065, and (2022), arXiv:2207.14484; for momentum, the roots of its
    characteristic polynomial.

    Example:
        >>> model = torch.nn.Linear(1, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        >>> round(_threshold_of_sgd(optimizer.param_groups[0], 0.1), 6)                   # 2 (1 + 0.9) / 0.1
        38.0
    """
    if step.lr is None or not 0 < step.lr < math.inf or len(step.optimizers) > 1:
        return Stability()
    lr = step.lr * step.factor
    optimizer: Any = next(iter(step.optimizers), None)
    known = _KNOWN.get(type(optimizer))
    if known:
        thresholds = {known(group, lr) for group in optimizer.param_groups}
        if len(thresholds) > 1:
            return Stability()
        plain = isinstance(optimizer, torch.optim.SGD) and all(g["momentum"] == 0 for g in optimizer.param_groups)
        return Stability(thresholds.pop(), _preconditioner(step, optimizer), plain, lr)
    if optimizer is not None and _remembers(optimizer):
        return Stability()
    return Stability(2 / lr, plain=True, lr=lr) if _descends(step, lr) else Stability()


def _threshold_of_sgd(group: Mapping[str, Any], lr: float) -> float:
    momentum, decay = group["momentum"], float(group["weight_decay"])
    if momentum == 0:  # torch then leaves dampening out
        return 2 / lr - decay
    if group["nesterov"]:
        return 2 * (1 + momentum) / (lr * (1 + 2 * momentum)) - decay
    return 2 * (1 + momentum) / ((1 - group["dampening"]) * lr) - decay


def _threshold_of_adam(group: Mapping[str, Any], lr: float) -> float:
    beta = float(group["betas"][0])
    if group["weight_decay"] and not group.get("decoupled_weight_decay", False):
        return math.nan
    return (2 + 2 * beta) / ((1 - beta) * lr)


def _threshold_of_rmsprop(group: Mapping[str, Any], lr: float) -> float:
    return math.nan if group["weight_decay"] else 2 * (1 + group["momentum"]) / lr


_KNOWN: dict[type, Callable[[Mapping[str, Any], float], float]] = {
    torch.optim.SGD: _threshold_of_sgd,
    torch.optim.Adam: _threshold_of_adam,
    torch.optim.AdamW: _threshold_of_adam,
    torch.optim.RMSprop: _threshold_of_rmsprop,
}


def _preconditioner(step: Step, optimizer: Any) -> Point | None:
    """The diagonal of the matrix by whose inverse the optimizer multiplied; None for SGD, which has none."""
    if isinstance(optimizer, torch.optim.SGD):
        return None
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    return {
        name: _diagonal(groups[id(p)], optimizer.state.get(p, {}), p) if id(p) in groups else torch.ones_like(p)
        for name, p in step.objective.live.items()
    }


def _diagonal(group: Mapping[str, Any], state: Mapping[str, Any], p: Tensor) -> Tensor:
    if "square_avg" in state:  # RMSprop
        mean = state["grad_avg"] if group["centered"] else 0.0
        return (state["square_avg"] - mean * mean).sqrt() + group["eps"]
    if "exp_avg_sq" not in state:  # it had no gradient yet, and did not move
        return torch.ones_like(p)
    taken = float(state["step"])
    first, second = (1 - float(beta) ** taken for beta in group["betas"])
    squares = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
    return first * ((squares / second).sqrt() + group["eps"])


def _remembers(optimizer: Any) -> bool:
    """Whether an optimizer may use more than the gradient of its step, so that its first step alone is like descent."""
    settings = {name for group in optimizer.param_groups for name, value in group.items() if value}
    return type(optimizer).__module__.startswith("torch.optim") or bool(settings & _MEMORY)


def _descends(step: Step, lr: float) -> bool:
    """Whether the step went along minus the gradient, as far as this learning rate says."""
    update = sub(step.after, step.before)
    expected = scale(step.gradient, -lr if min(step.rates.values()) > 0 else lr)
    return bool(norm(sub(update, expected)) <= _EQUAL * norm(update))
