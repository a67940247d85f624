"""How many eigenvalues of a Hessian are zero, where they can be told from the others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from clinometer.papers.bronstein2021.names import GAP, TOLERANCE


@dataclass(frozen=True)
class NullSpace:
    """The zeros among some eigenvalues."""

    zeros: float  # how many; NaN where no gap sets them apart
    gap: float  # smallest magnitude above the tolerance, over the larger of the largest zero and a rounding


def null_space(eigenvalues: Tensor, tolerance: float = TOLERANCE, gap: float = GAP) -> NullSpace:
    """Count the eigenvalues of magnitude below `tolerance` times the largest one's.

    A count says something where the next eigenvalue lies above the zeros by a factor; otherwise it is NaN.

    Example:
        >>> null_space(torch.tensor([0.0, 1e-16, 0.5, 2.0], dtype=torch.float64)).zeros
        2.0
        >>> null_space(torch.logspace(-12, 0, 50, dtype=torch.float64)).zeros          # no gap
        nan
    """
    sizes = eigenvalues.abs().sort().values
    largest = sizes[-1]
    zero = sizes <= tolerance * largest
    rounding = torch.finfo(sizes.dtype).eps * largest
    above = sizes[~zero]
    floor = torch.maximum(sizes[zero].max() if bool(zero.any()) else rounding, rounding)
    found = float(above.min() / floor) if len(above) else torch.nan
    return NullSpace(float(zero.sum()) if found >= gap else torch.nan, found)
