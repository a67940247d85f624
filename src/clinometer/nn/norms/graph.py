"""Normalizations over the nodes of a graph, sample by sample, in training and evaluation alike.

In (N, C, ...) each sample is a graph, whose nodes lie along the last axes; (N, C) is one graph of N nodes.
"""

import torch
from torch import Tensor, nn

from clinometer.nn.norms.per_unit import affine_by_sample, per_unit


class GraphNorm(nn.Module):
    """Per graph and unit, over its nodes, with a learned share α of the mean taken off.

        z = y − α · mean(y),      y ← γ · z / √(mean(z²) + ε) + β

    With α = 1, as it starts, it is InstanceNorm. Does not see c · y, c > 0, of a graph's unit; it does not see a shift
    where α = 1.

    Args:
        num_features: C.
        eps: ε.
    Source: Cai et al. (2020), arXiv:2009.03294.

    Example:
        >>> norm = GraphNorm(1, eps=0.0)
        >>> norm(torch.tensor([[[1.0, 3.0]], [[10.0, 30.0]]])).tolist()           # two graphs of two nodes each
        [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.mean_scale = nn.Parameter(torch.ones(num_features))  # α

    def forward(self, y: Tensor) -> Tensor:
        centred = y - per_unit(self.mean_scale, y) * y.mean(over_nodes(y), keepdim=True)
        factor = per_unit(self.weight, y) * (_mean_square(centred) + self.eps).rsqrt()
        return affine_by_sample(centred, factor, per_unit(self.bias, y))

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, eps={self.eps}"


class PairNorm(nn.Module):
    """Per graph: the mean over nodes taken off, and the distances between nodes kept as large; no parameters.

        z = y − mean(y),      y ← s · z / √(mean ‖z‖² + ε),      norms over units, means over nodes

    So ‖y_i − y_j‖² sum to 2 n² s² over all pairs of n nodes, at any depth. With `individually` each node is divided by
    its own √(‖z‖² + ε) (PairNorm-SI). Does not see c · y + d, c > 0, with one c and a d per unit for a graph.

    Args:
        num_features: C.
        scale: s, which the paper tunes.
        individually: Whether each node has its own scale.
        eps: ε.
    Source: Zhao and Akoglu (2020), arXiv:1909.12223.

    Raises:
        ValueError: unless the scale is positive.

    Example:
        >>> PairNorm(2, eps=0.0)(torch.tensor([[[3.0, -3.0], [4.0, -4.0]]]))        # the nodes (3, 4) and (−3, −4)
        tensor([[[ 0.6000, -0.6000],
                 [ 0.8000, -0.8000]]])
    """

    def __init__(self, num_features: int, scale: float = 1.0, *, individually: bool = False, eps: float = 1e-5) -> None:
        super().__init__()
        if not scale > 0:
            raise ValueError(f"scale must be positive; found {scale}.")
        self.num_features, self.scale, self.individually, self.eps = num_features, scale, individually, eps

    def forward(self, y: Tensor) -> Tensor:
        if y.ndim < 2 or y.shape[1] != self.num_features:
            features = self.num_features
            raise ValueError(
                f"this norm has {features} features: expected (N, {features}, ...), found {tuple(y.shape)}."
            )
        centred = y - y.mean(over_nodes(y), keepdim=True)
        square = centred.square().sum(1, keepdim=True)
        if not self.individually:
            square = square.mean(over_nodes(y), keepdim=True)
        return centred * (self.scale * (square + self.eps).rsqrt())

    def extra_repr(self) -> str:
        return f"{self.num_features}, scale={self.scale}, individually={self.individually}, eps={self.eps}"


def _mean_square(y: Tensor) -> Tensor:
    """The mean of y² over nodes, (N, C, 1, ...), by products that make no tensor of y's size."""
    nodes = y.flatten(2) if y.ndim > 2 else y.T[None]
    means = torch.linalg.vecdot(nodes, nodes) / nodes.shape[2]
    return means.view(*means.shape, *(1,) * (y.ndim - 2))


def over_nodes(y: Tensor) -> list[int]:
    """The axes along which a graph's nodes lie.

    Example:
        >>> over_nodes(torch.zeros(5, 3, 7)), over_nodes(torch.zeros(5, 3))
        ([2], [0])
    """
    return list(range(2, y.ndim)) or [0]
