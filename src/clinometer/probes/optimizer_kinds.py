"""What torch's optimizers do on a quadratic loss: up to which curvature they are stable, and what they divide by.

Each step is w⁺ = (1 − ηλ) w − η P⁻¹ u: λ is the decoupled weight decay, P diagonal, u the gradient or an average of
earlier ones. With P held still, the curvature that counts is that of P⁻¹H, and each eigenvector of it moves alone.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Settings = Mapping[str, Any]  # of a group of parameters
State = Mapping[str, Any]  # of one parameter


@dataclass(frozen=True)
class Kind:
    """What is known of a class of optimizers."""

    threshold: Callable[[Settings, State, float], float]  # at a learning rate; NaN where no curvature is stable
    diagonal: Callable[[Settings, State], Tensor] | None = None  # of P, from a parameter's state after the step


def _sgd(group: Settings, _state: State, lr: float) -> float:
    momentum, decay = float(group["momentum"]), float(group["weight_decay"])
    if momentum == 0:  # torch then leaves dampening out
        return 2 / lr - decay
    if group["nesterov"]:
        return 2 * (1 + momentum) / (lr * (1 + 2 * momentum)) - decay
    kept = 1 - float(group["dampening"])
    return 2 * (1 + momentum) / (kept * lr) - decay if kept > 0 else math.nan


def _averaging(group: Settings, _state: State, lr: float) -> float:
    """Steps along an average of gradients: z² − (a + β − η(1 − β)h) z + aβ has no root outside the unit circle."""
    beta, still = float(group["betas"][0]), _shrinkage(group, lr)
    return (1 + still) * (1 + beta) / ((1 - beta) * lr)


def _nadam(group: Settings, state: State, lr: float) -> float:
    """Steps along r g + s m, with the shares r and s of now: z² − (a + β − (r + s(1 − β))h) z + β(a − rh)."""
    beta, still, taken = float(group["betas"][0]), _shrinkage(group, lr), float(state["step"])
    now, after = (beta * (1 - 0.5 * 0.96 ** ((taken + more) * group["momentum_decay"])) for more in (0, 1))
    product = float(state["mu_product"])
    gradient, average = lr * (1 - now) / (1 - product), lr * after / (1 - product * after)
    return (1 + still) * (1 + beta) / (gradient * (1 + beta) + average * (1 - beta))


def _rmsprop(group: Settings, _state: State, lr: float) -> float:
    return 2 * (1 + float(group["momentum"])) / lr


def _adagrad(_group: Settings, _state: State, lr: float) -> float:
    return 2 / lr


def _shrinkage(group: Settings, lr: float) -> float:
    """What decoupled weight decay leaves of a weight, 1 − ηλ; that of the gradient counts as curvature instead."""
    return 1 - lr * float(group["weight_decay"]) if decay_is_decoupled(group) else 1.0


def decay_is_decoupled(group: Settings) -> bool:
    """Whether weight decay shrinks the weights beside the step, rather than by the gradient."""
    return bool(group.get("decoupled_weight_decay", False))


def _of_adam(group: Settings, state: State) -> Tensor:
    squares = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
    first, second = _corrections(group, state)
    return first * ((squares / second).sqrt() + group["eps"])


def _of_nadam(group: Settings, state: State) -> Tensor:
    return (state["exp_avg_sq"] / _corrections(group, state)[1]).sqrt() + group["eps"]


def _of_radam(group: Settings, state: State) -> Tensor:
    """As Adam's over the rectification; at first, while the average is of few squares, a number."""
    first, second = _corrections(group, state)
    longest = 2 / (1 - float(group["betas"][1])) - 1
    length = longest - 2 * float(state["step"]) * (1 - second) / second
    if length <= 5:
        return torch.full_like(state["exp_avg_sq"], first)
    rectified = math.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    return first * (state["exp_avg_sq"].sqrt() + group["eps"]) / (math.sqrt(second) * rectified)


def _of_adamax(group: Settings, state: State) -> Tensor:
    return _corrections(group, state)[0] * state["exp_inf"]


def _of_rmsprop(group: Settings, state: State) -> Tensor:
    mean = state["grad_avg"] if group["centered"] else 0.0
    return (state["square_avg"] - mean * mean).sqrt() + group["eps"]


def _of_adagrad(group: Settings, state: State) -> Tensor:
    return (1 + (float(state["step"]) - 1) * group["lr_decay"]) * (state["sum"].sqrt() + group["eps"])


def _corrections(group: Settings, state: State) -> tuple[float, float]:
    """1 − β₁ᵗ and 1 − β₂ᵗ, which correct averages of t terms that began at 0."""
    first, second = (1 - float(beta) ** float(state["step"]) for beta in group["betas"])
    return first, second


KINDS: Mapping[type, Kind] = {
    torch.optim.SGD: Kind(_sgd),
    torch.optim.Adam: Kind(_averaging, _of_adam),
    torch.optim.AdamW: Kind(_averaging, _of_adam),
    torch.optim.NAdam: Kind(_nadam, _of_nadam),
    torch.optim.RAdam: Kind(_averaging, _of_radam),
    torch.optim.Adamax: Kind(_averaging, _of_adamax),
    torch.optim.RMSprop: Kind(_rmsprop, _of_rmsprop),
    torch.optim.Adagrad: Kind(_adagrad, _of_adagrad),
}
