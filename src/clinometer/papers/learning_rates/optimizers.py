"""The optimizers of the benchmark: of (parameters, lr), the rest as a user would leave it."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from clinometer.nn.newton_schulz import orthogonalised
from clinometer.nn.per_parameter import PerParameter


def sgd(parameters: Iterable[Tensor], lr: float = 0.1) -> torch.optim.Optimizer:
    """Plain SGD."""
    return torch.optim.SGD(parameters, lr=lr)


def momentum(parameters: Iterable[Tensor], lr: float = 0.01) -> torch.optim.Optimizer:
    """SGD with momentum 0.9."""
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


def adamw(parameters: Iterable[Tensor], lr: float = 1e-3) -> torch.optim.Optimizer:
    """AdamW with torch's defaults."""
    return torch.optim.AdamW(parameters, lr=lr)


class Muon(PerParameter):
    """Momentum whose matrices are orthogonalised; what is no matrix takes the sign of its momentum.

    For a matrix w (m, n), with the gradient g and the momentum M:

        M ← 0.95 M + g,   u = 0.95 M + g,   w ← w − lr · √max(1, m/n) · orthogonalise(u)

    A convolution's weight counts as a matrix with a row per channel. One rate serves all parameters.

    Args:
        params: The parameters.
        lr: The learning rate.
    Source: Jordan et al. (2024), Muon: An optimizer for hidden layers in neural networks.
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 0.02) -> None:
        super().__init__(params, {"lr": lr})

    def move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        lr = group["lr"]
        held = self.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
        held.mul_(0.95).add_(gradient)
        update = held * 0.95 + gradient
        if parameter.ndim < 2:
            parameter.add_(update.sign(), alpha=-lr * 0.1)
            return
        matrix = update.flatten(1)
        scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        parameter.add_(orthogonalised(matrix).view_as(parameter), alpha=-lr * scale)
