"""A bounded function of each value in place of a norm."""

import torch
from torch import Tensor, nn

from clinometer.nn.norms.per_unit import affine


class DynamicTanh(nn.Module):
    """y ← γ · tanh(α y) + β, with one α for all units and no statistics.

    Training and evaluation are alike, and so are batches of any size. It sees any scale and any shift of y; a factor on
    y can be undone by α.

    Args:
        num_features: C.
        alpha: α at the start.
    Source: Zhu et al. (2025), arXiv:2503.10622.

    Example:
        >>> DynamicTanh(1)(torch.tensor([[0.0], [1000.0]])).flatten()
        tensor([0., 1.], grad_fn=<ViewBackward0>)
    """

    def __init__(self, num_features: int, *, alpha: float = 0.5) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.tensor(float(alpha)))
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, y: Tensor) -> Tensor:
        # tanh(z) = 2 sigmoid(2 z) − 1, where torch's tanh takes six times as long on a CPU; equal but for rounding at 1
        return affine(torch.sigmoid(y * (2 * self.alpha)), 2 * self.weight, self.bias - self.weight)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}"
