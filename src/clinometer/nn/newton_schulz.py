"""Muon's Newton-Schulz iteration: a matrix with its singular values brought near 1."""

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)  # steep at 0, near 1 from there to 1


def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """About U Vᵀ of a matrix U S Vᵀ, by Newton-Schulz iterations: singular values come between 0.5 and 1.5.

    Those below a thousandth of the largest stay smaller.

    Source: Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/, with its coefficients.

    Example:
        >>> values = torch.linalg.svdvals(orthogonalised(torch.diag(torch.tensor([1.0, 0.5, 0.1]))))
        >>> bool(((values > 0.5) & (values < 1.5)).all())
        True
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    a, b, c = _QUINTIC
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
