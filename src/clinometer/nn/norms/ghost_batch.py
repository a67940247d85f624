"""BatchNorm over parts of the batch."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.nn.norms.per_unit import check_features


class GhostBatchNorm(nn.Module):
    """BatchNorm of each of k ghost batches by itself, with one γ and one β for all.

        y ← γ · (y − mean_j(y)) / √(var_j(y) + ε) + β,   j the ghost of the sample

    Sample i belongs to ghost i mod k, with k the smallest number that leaves at most `ghost` samples to each; in
    shuffled batches these are as random as blocks. Running averages take in the ghosts one after another, momentum 0.1
    each, and evaluation uses them. Training does not see c · y + d per unit of a ghost, c > 0, nor the layer's bias.

    Args:
        num_features: C.
        ghost: Samples of a ghost batch, at most. A batch of no more than that is BatchNorm's.
        eps: ε.
        momentum: Of the running averages.
    Source: Hoffer, Hubara and Soudry (2017), arXiv:1705.08741, Algorithm 1.

    Raises:
        ValueError: in training, if a unit of a ghost has a single value.

    Example:
        >>> GhostBatchNorm(1, ghost=2)(torch.tensor([[1.0], [5.0], [3.0], [9.0]])).flatten()   # of 1 and 3, and 5 and 9
        tensor([-1.0000, -1.0000,  1.0000,  1.0000], grad_fn=<ViewBackward0>)
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, *, ghost: int = 32, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        if ghost < 1:
            raise ValueError(f"ghost must be at least 1 sample; found {ghost}.")
        self.ghost = ghost
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, y: Tensor) -> Tensor:
        check_features(y, len(self.weight))
        if not self.training:
            return F.batch_norm(y, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        count = -(-len(y) // self.ghost)
        if len(y) % count == 0:
            return self._normalize(y, count)
        out = torch.empty_like(y)
        for ghost in range(count):
            out[ghost::count] = self._normalize(y[ghost::count], 1)
        return out

    def _normalize(self, y: Tensor, count: int) -> Tensor:
        """Normalize ghosts of equal size as so many times as many units of a smaller batch: a view."""
        size, units = len(y) // count, count * y.shape[1]
        if y.numel() == units:
            raise ValueError(
                f"a ghost batch has one value per unit, which is its own mean; found {len(y)} samples of shape "
                f"{tuple(y.shape[1:])} in {count} ghost batches. Take a larger `ghost` or batch, or call eval()."
            )
        folded = y.reshape(size, units, *y.shape[2:])
        mean, var = y.new_zeros(units), y.new_ones(units)
        out = F.batch_norm(folded, mean, var, self.weight.repeat(count), self.bias.repeat(count), True, 1.0, self.eps)
        with torch.no_grad():
            for ghost_mean, ghost_var in zip(mean.view(count, -1), var.view(count, -1), strict=True):
                self.running_mean.lerp_(ghost_mean, self.momentum)
                self.running_var.lerp_(ghost_var, self.momentum)
        return out.view_as(y)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, ghost={self.ghost}, eps={self.eps}, momentum={self.momentum}"
