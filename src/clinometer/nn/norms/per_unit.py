"""One value per unit, for what a layer returns."""

import math

from torch import Tensor
from torch.nn import functional as F


def per_unit(values: Tensor, y: Tensor) -> Tensor:
    """Values of shape (C,) as (1, C), (1, C, 1), (1, C, 1, 1), ..., for y of shape (N, C, ...).

    Raises:
        ValueError: if y has another number of units.

    Example:
        >>> import torch
        >>> per_unit(torch.ones(3), torch.zeros(2, 3, 4, 4)).shape
        torch.Size([1, 3, 1, 1])
    """
    check_features(y, len(values))
    return values.view(1, -1, *(1,) * (y.ndim - 2))


def affine(y: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Weight · y + bias per unit, by torch's fused BatchNorm with mean 0 and variance 1.

    Example:
        >>> import torch
        >>> affine(torch.tensor([[1.0, 2.0]]), torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0]))
        tensor([[2., 7.]])
    """
    check_features(y, len(weight))
    constant = weight.detach()
    zero, one = constant.new_zeros(len(weight)), constant.new_ones(len(weight))
    return F.batch_norm(y, zero, one, weight, bias, training=False, eps=0.0)


def affine_by_sample(y: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Weight · y + bias per sample and unit, by the same BatchNorm, for which each unit of a sample is a channel.

    Args:
        y: (N, C, ...).
        weight: (N, C, 1, ...), or 1 for N or C.
        bias: Likewise.

    Example:
        >>> import torch
        >>> y, weight, bias = torch.ones(2, 1, 3), torch.tensor([[[2.0]], [[3.0]]]), torch.tensor([[[1.0]]])
        >>> affine_by_sample(y, weight, bias).tolist()
        [[[3.0, 3.0, 3.0]], [[4.0, 4.0, 4.0]]]
    """
    if not in_long_rows(y) or y.dtype != weight.dtype:
        return y * weight + bias
    each = [values.expand(*y.shape[:2], *values.shape[2:]).flatten() for values in (weight, bias)]
    return affine(y.flatten(0, 1)[None], *each).view_as(y)


def in_long_rows(y: Tensor) -> bool:
    """Whether each unit of each sample of y is a row in memory, long enough that work row by row is fast on a CPU.

    Example:
        >>> import torch
        >>> in_long_rows(torch.ones(2, 3, 16, 16)), in_long_rows(torch.ones(2, 3, 16, 16).mT)
        (True, False)
    """
    return y.numel() > 0 and y.is_contiguous() and math.prod(y.shape[2:]) >= 128


def check_features(y: Tensor, features: int) -> None:
    """ValueError if y is not of shape (N, features, ...)."""
    if y.ndim < 2 or y.shape[1] != features:
        raise ValueError(f"this norm has {features} features: expected (N, {features}, ...), found {tuple(y.shape)}.")


def check_batch(y: Tensor) -> None:
    """ValueError if a batch has one value per unit: less its mean, which it is itself, that is 0 whatever it was."""
    if y.numel() == y.shape[1]:
        raise ValueError(
            f"expected more than one value per unit in train mode; found shape {tuple(y.shape)}. A single value is its "
            "own mean: the output would be the same whatever the input is. Take a larger batch, or call eval()."
        )
