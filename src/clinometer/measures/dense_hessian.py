"""The whole Hessian of a tiny network, as a matrix."""

from collections.abc import Collection

import torch
from torch import Tensor

from clinometer.measures.hessian_block import hessian_block
from clinometer.objective.objective import Objective
from clinometer.objective.params import Point

_LARGEST = 4096  # parameters; their Hessian takes 64 MB in float32


def dense_hessian(objective: Objective, at: Point, *, only: Collection[str] | None = None) -> Tensor:
    """The Hessian at a point as a symmetric matrix (n, n), by a product for each of the n parameters.

    Rows and columns are in the order of `flattened(at)`, in float32 or wider. It is the mean of H and Hᵀ, which
    differ by rounding.

    Cost: n Hessian-vector products, of about 1.7 forward-backward passes each.

    Args:
        objective: The frozen loss.
        at: The point; `objective.here()` for the present parameters.
        only: The parameters of a block; all by default.

    Raises:
        ValueError: for more than 4096 parameters, or if `only` names none.
        FloatingPointError: if a product is not finite.

    Example:
        >>> from torch import nn                                                # L = w₁² w₂ at (1, 2)
        >>> model = nn.Linear(2, 1, bias=False)
        >>> objective = Objective(model, lambda m, _: m.weight[0, 0].square() * m.weight[0, 1])
        >>> dense_hessian(objective, {"weight": torch.tensor([[1.0, 2.0]])})
        tensor([[4., 2.],
                [2., 0.]])
    """
    size = sum(value.numel() for name, value in at.items() if only is None or name in only)
    if size > _LARGEST:
        raise ValueError(
            f"the Hessian of {size:,} parameters has {size**2:,} entries; expected at most {_LARGEST:,} parameters. "
            "Use top_eigenpairs for its largest eigenvalues, spectral_density for all, or `only` for a block."
        )
    with hessian_block(objective, at, only) as block:
        rows = [block.product(unit) for unit in torch.eye(block.n).to(block.zeros(1))]
    matrix = torch.stack(rows)
    return (matrix + matrix.T) / 2
