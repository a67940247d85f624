"""How sparse a gradient is: the share of its entries that are next to nothing beside its largest."""

from collections.abc import Sequence

import torch
from torch import Tensor

from clinometer.papers.subramanian2019.rows import THRESHOLDS


def sparsity(gradients: Sequence[Tensor], thresholds: Sequence[float] = THRESHOLDS) -> Tensor:
    """The share of entries of all tensors together with |g_i| < threshold · max|g|, for each threshold, (thresholds,).

    At threshold 0, the share of entries that are 0. NaN where all entries are 0, or one is not finite.

    Args:
        gradients: Of any shapes; one entry of one tensor is the largest of all.
        thresholds: Shares of the largest magnitude.

    Example:
        >>> sparsity([torch.tensor([0.0, 1.0]), torch.tensor([[1e-7, -2.0]])], [0.0, 1e-6, 0.9])
        tensor([0.2500, 0.5000, 0.7500], dtype=torch.float64)
    """
    sizes = torch.cat([gradient.detach().abs().flatten().double() for gradient in gradients])
    largest = sizes.max()
    if not 0 < float(largest) < torch.inf:
        return torch.full((len(thresholds),), torch.nan, dtype=torch.float64)
    counted = [sizes == 0 if threshold == 0 else sizes < threshold * largest for threshold in thresholds]
    return torch.stack([each.double().mean() for each in counted])
