"""A norm for features that come last, as a transformer has them."""

import math

from torch import Tensor, nn


class PerPosition(nn.Module):
    """Apply a norm of (N, C) to inputs of shape (..., C), each position being a sample.

    A norm that is over samples, as BatchNorm, is then over batch and positions; one that is over a sample's units, as
    GroupNorm, is over those of one position, and no position sees another.

    Args:
        norm: For inputs of shape (N, C).

    Example:
        >>> import torch
        >>> y = torch.randn(2, 5, 8)
        >>> torch.allclose(PerPosition(nn.GroupNorm(1, 8))(y), nn.LayerNorm(8)(y), atol=1e-5)
        True
    """

    # In evaluation torch's TransformerEncoderLayer computes LayerNorm by itself if its norms have an equal eps. NaN is
    # equal to nothing, so that it uses its norms.
    eps = math.nan

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, y: Tensor) -> Tensor:
        return self.norm(y.reshape(-1, y.shape[-1])).view(y.shape)
