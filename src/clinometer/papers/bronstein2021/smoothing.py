"""Over-smoothing: how alike the nodes of a graph become with depth.

Source: Li et al. (2018), arXiv:1801.07606; Oono and Suzuki (2020), arXiv:1905.10947.
"""

import torch
from torch import Tensor


def mean_cosine(signal: Tensor) -> float:
    """The mean over graphs, and over pairs of different nodes of each, of the cosine between their features (N, C, n).

    A node whose features are 0 has no direction and is left out; NaN where no graph has two others.

    Example:
        >>> mean_cosine(torch.tensor([[[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]]))      # cosines 0, 1 and 0
        0.3333333333333333
    """
    lengths = signal.double().norm(dim=1, keepdim=True)
    units = torch.where(lengths > 0, signal / lengths, 0)
    count = (lengths > 0).sum(2).squeeze(1).double()  # (N,)
    pairs = count * (count - 1)
    sums = units.sum(2).square().sum(1) - count
    has = pairs > 0
    return float((sums[has] / pairs[has]).mean()) if bool(has.any()) else float("nan")
