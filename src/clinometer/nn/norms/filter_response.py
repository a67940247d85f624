"""Filter response normalization with its thresholded linear unit."""

import math

import torch
from torch import Tensor, nn

from clinometer.nn.norms.per_unit import affine_by_sample, in_long_rows, per_unit


class FilterResponseNorm(nn.Module):
    """Divide each sample's unit by its root mean square over space, then clip it from below.

        y ← max(γ · y / √(mean(y²) + |ε|) + β, τ)

    with γ, β and τ per unit. Without space y² is its own mean, so ε is then a parameter, one per unit, 1e-4 at the
    start, as the paper has it; else it is 1e-6. The maximum stands for the activation that would follow. Training and
    evaluation are alike. Does not see c · y, c > 0, of a sample's unit (exactly where ε is 0); it does see a shift.

    Args:
        num_features: C.
        spatial_dims: Of y.
        threshold: False leaves the maximum out.
    Source: Singh and Krishnan (2019), arXiv:1911.09737.

    Example:
        >>> norm = FilterResponseNorm(1, 1)
        >>> norm(torch.tensor([[[1.0, -7.0]]]))                         # √((1 + 49) / 2) = 5, and τ = 0
        tensor([[[0.2000, 0.0000]]], grad_fn=<AddBackward0>)
    """

    def __init__(self, num_features: int, spatial_dims: int, *, threshold: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.threshold = nn.Parameter(torch.zeros(num_features)) if threshold else None
        self.eps = nn.Parameter(torch.full((num_features,), 1e-4)) if spatial_dims == 0 else 1e-6

    def forward(self, y: Tensor) -> Tensor:
        factor = per_unit(self.weight, y) * torch.rsqrt(_mean_square(y) + self._eps(y))
        if self.threshold is None:
            return affine_by_sample(y, factor, per_unit(self.bias, y))
        above = affine_by_sample(y, factor, per_unit(self.bias - self.threshold, y))
        return torch.relu(above) + per_unit(self.threshold, y)

    def _eps(self, y: Tensor) -> Tensor | float:
        return per_unit(self.eps, y).abs() if isinstance(self.eps, Tensor) else self.eps

    def extra_repr(self) -> str:
        return f"{len(self.weight)}"


def _mean_square(y: Tensor) -> Tensor:
    """mean(y²) over space, (N, C, 1, ...); y² without space."""
    if y.ndim == 2:
        return y.square()
    # both ways are faster than a mean of squares, which would be a tensor of y's size to keep
    if in_long_rows(y):
        rows = y.flatten(2)
        squares = torch.linalg.vecdot(rows, rows).view(*y.shape[:2], *(1,) * (y.ndim - 2))
    else:
        squares = torch.linalg.vector_norm(y, 2, list(range(2, y.ndim)), keepdim=True).square()
    return squares / math.prod(y.shape[2:])
