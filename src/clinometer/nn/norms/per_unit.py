"""One value per unit, in a shape that multiplies what a layer returns."""

from torch import Tensor


def per_unit(values: Tensor, y: Tensor) -> Tensor:
    """Values of shape (C,) as (1, C), (1, C, 1), (1, C, 1, 1), ..., for y of shape (N, C, ...).

    Raises:
        ValueError: if y has another number of units.

    Example:
        >>> import torch
        >>> per_unit(torch.ones(3), torch.zeros(2, 3, 4, 4)).shape
        torch.Size([1, 3, 1, 1])
    """
    if y.ndim < 2 or y.shape[1] != len(values):
        features = len(values)
        raise ValueError(f"this norm has {features} features: expected (N, {features}, ...), found {tuple(y.shape)}.")
    return values.view(1, -1, *(1,) * (y.ndim - 2))
