"""The curvature above which an optimizer's steps are unstable: 2/lr for gradient descent, and others for others."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from clinometer.objective.params import norm, scale, sub
from clinometer.probes.base import Step

_MEMORY = {"momentum", "betas", "beta", "beta1", "mu"}  # settings of optimizers that remember earlier gradients
_EQUAL = 1e-3  # by which share an update may differ from gradient descent's for reasons of precision


@dataclass(frozen=True)
class Stability:
    """Up to which curvature the steps of an optimizer are stable on a quadratic loss."""

    threshold: float = math.nan  # that curvature; NaN where it is not known
    plain: bool = False  # whether the optimizer is gradient descent with one learning rate: the threshold is then 2/lr
    lr: float = math.nan  # that learning rate, with the factor that the gradient was multiplied by


def stability_of(step: Step) -> Stability:
    """The stability threshold of the optimizer that took a step, at the learning rate of that step.

        gradient descent 2/η,   heavy ball 2(1 + μ)/η,   Nesterov 2(1 + μ)/(η(1 + 2μ))

    With dampening τ, as torch.optim.SGD has it, the heavy ball's is 2(1 + μ)/((1 − τ)η); weight decay λ adds λ to each
    curvature, and is subtracted here. An optimizer of another class is gradient descent where its update is −η g.
    Cost: none; for such an optimizer one pass over the parameters.

    Source: Cohen et al. (2021), arXiv:2103.00065; for momentum, the roots of its characteristic polynomial.

    Example:
        >>> model = torch.nn.Linear(1, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        >>> threshold_of_sgd(optimizer.param_groups[0], 0.1)                   # 2 (1 + 0.9) / 0.1
        38.0
    """
    if step.lr is None or not step.lr > 0:
        return Stability()
    lr = step.lr * step.factor
    (optimizer, *others) = step.optimizers or (None,)
    if others:
        return Stability()
    if type(optimizer) is torch.optim.SGD:
        groups = optimizer.param_groups
        thresholds = {threshold_of_sgd(group, lr) for group in groups}
        plain = all(group["momentum"] == 0 for group in groups)
        return Stability(thresholds.pop(), plain, lr) if len(thresholds) == 1 else Stability()
    if optimizer is not None and _remembers(optimizer):
        return Stability()
    return Stability(2 / lr, True, lr) if _descends(step, lr) else Stability()


def threshold_of_sgd(group: Mapping[str, Any], lr: float) -> float:
    """The threshold of torch.optim.SGD with the settings of a parameter group."""
    momentum, dampening = group["momentum"], group["dampening"]
    decay = float(group["weight_decay"])
    if momentum == 0:  # torch then leaves dampening out
        return 2 / lr - decay
    if group["nesterov"]:
        return 2 * (1 + momentum) / (lr * (1 + 2 * momentum)) - decay
    return 2 * (1 + momentum) / ((1 - dampening) * lr) - decay


def _remembers(optimizer: Any) -> bool:
    """Whether an optimizer may use more than the gradient of its step, so that its first step alone is like descent."""
    settings = {name for group in optimizer.param_groups for name, value in group.items() if value}
    return type(optimizer).__module__.startswith("torch.optim") or bool(settings & _MEMORY)


def _descends(step: Step, lr: float) -> bool:
    """Whether the step went along minus the gradient, as far as this learning rate says."""
    update = sub(step.after, step.before)
    expected = scale(step.gradient, -lr if min(step.rates.values()) > 0 else lr)
    return bool(norm(sub(update, expected)) <= _EQUAL * norm(update))
