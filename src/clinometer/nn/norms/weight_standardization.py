"""Weight standardization: each unit's weights have mean 0 and deviation 1."""

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize


class _Standardized(nn.Module):
    """Ŵ = (W − mean(W)) / √(var(W) + ε) for each unit, over the weights of its inputs; W is what is trained."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, weight: Tensor) -> Tensor:
        rows = weight.flatten(1)
        return F.layer_norm(rows, rows.shape[1:], eps=self.eps).view_as(weight)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight


def weight_standardization(layer: nn.Module, *, eps: float = 1e-5) -> None:
    """Train W, and compute with Ŵ = (W − mean(W)) / √(var(W) + ε) for each unit, over the weights of its inputs.

    Training and evaluation are alike. Sees neither c · W + d of a unit, c > 0 (exactly where ε is 0); a factor on the
    input multiplies the output. The paper uses it before GroupNorm, for Ŵ alone has rows of length √fan-in.

    Args:
        layer: A linear layer or a convolution, changed in place.
        eps: ε.
    Source: Qiao et al. (2019), arXiv:1903.10520.

    Raises:
        ValueError: if a unit has a single weight, which would always be 0.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 1)
        >>> weight_standardization(layer, eps=0.0)
        >>> layer.weight = torch.tensor([[3.0, 7.0]])
        >>> layer.weight
        tensor([[-1.,  1.]], grad_fn=<ViewBackward0>)
    """
    shape: tuple[int, ...] = layer.weight.shape  # pyright: ignore[reportAssignmentType]
    if layer.weight[0].numel() < 2:  # pyright: ignore[reportIndexIssue]
        raise ValueError(f"weight standardization needs two weights per unit; found a weight of shape {tuple(shape)}.")
    parametrize.register_parametrization(layer, "weight", _Standardized(eps))
