"""Root mean square normalization."""

import torch
from torch import Tensor, nn

from clinometer.nn.norms.per_unit import per_unit


class RMSNorm(nn.Module):
    """Divide each sample by the root mean square over its units and space; a gain per unit.

        y ← γ · y / √(mean(y²) + ε)

    torch's RMSNorm has a γ in the shape of what it normalizes; here it has one value per unit, so that images of any
    size fit. Training and evaluation are alike. Does not see c · y, c > 0, of a sample; it does see a shift.

    Args:
        num_features: C.
        eps: ε.
    Source: Zhang and Sennrich (2019), arXiv:1910.07467.

    Example:
        >>> RMSNorm(2, eps=0.0)(torch.tensor([[1.0, 7.0]]))              # √((1 + 49) / 2) = 5
        tensor([[0.2000, 1.4000]], grad_fn=<MulBackward0>)
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, y: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(y, 2, list(range(1, y.ndim)), keepdim=True)
        return y * (per_unit(self.weight, y) * torch.rsqrt(length.square() / y[0].numel() + self.eps))

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}"
