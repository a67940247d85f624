"""The optimizers of the corpus, as functions of the parameters, and Muon, which older versions of torch lack."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from clinometer.nn.newton_schulz import orthogonalised
from clinometer.nn.per_parameter import PerParameter


def sgd(parameters: Iterable[Tensor], lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> torch.optim.SGD:
    """Stochastic gradient descent, with momentum if that is not 0."""
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay)


def adamw(
    parameters: Iterable[Tensor],
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> torch.optim.AdamW:
    """Adam with decoupled weight decay."""
    return torch.optim.AdamW(parameters, lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)


class Muon(PerParameter):
    """Momentum whose step is made orthogonal, for matrices and kernels of convolutions; AdamW for all else.

        B ← μ B + (1 − μ) g;  O = orthogonalised((1 − μ) g + μ B);  W ← (1 − ηλ) W − η √max(1, rows / columns) O

    where a kernel is a matrix with a row per output channel. A group with `orthogonal` False is stepped by AdamW.

    Source: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/; as `torch.optim.Muon` (torch 2.9) has it,
    but in the parameters' own precision.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float, weight_decay: float) -> None:
        settings = {"lr": lr, "weight_decay": weight_decay, "orthogonal": True, "momentum": momentum}
        super().__init__(groups, {**settings, "betas": (0.9, 0.999), "eps": 1e-8})

    def move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        (self._orthogonal if group["orthogonal"] else self._adam)(parameter, gradient, group)

    def _orthogonal(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(p)
        average = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        matrix = gradient.lerp(average, group["momentum"]).flatten(1)
        wide = math.sqrt(max(1.0, matrix.shape[0] / matrix.shape[1]))
        p.add_(orthogonalised(matrix).view_as(p), alpha=-group["lr"] * wide)

    def _adam(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        state["step"] += 1
        first, second = group["betas"]
        average = state["exp_avg"].lerp_(gradient, 1 - first)
        squares = state["exp_avg_sq"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        rate = group["lr"] / (1 - first ** state["step"])
        p.addcdiv_(average, (squares / (1 - second ** state["step"])).sqrt_().add_(group["eps"]), value=-rate)


def muon(
    parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0, rest: float = 0.1
) -> Muon:
    """Muon for hidden layers' matrices and kernels; AdamW for the first and the last of them, and for all else.

    Args:
        parameters: Of a network, in the order of its layers.
        lr: Muon's learning rate.
        momentum: Muon's.
        weight_decay: Of all, decoupled.
        rest: AdamW's learning rate, as a multiple of Muon's.
    """
    every = list(parameters)
    weights = [p for p in every if p.ndim in (2, 4)]
    hidden = weights[1:-1]
    others = [p for p in every if not any(p is each for each in hidden)]
    groups = [{"params": hidden}] if hidden else []
    return Muon([*groups, {"params": others, "lr": rest * lr, "orthogonal": False}], lr, momentum, weight_decay)
