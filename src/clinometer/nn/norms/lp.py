"""The paper's Lp norms: BatchNorm with another norm of the batch than the deviation, and other readings of its text."""

import math

import torch
from torch import Tensor, nn

from clinometer.nn.norms.per_unit import affine_by_sample, check_batch, check_features, in_long_rows, per_unit


class LpNorm(nn.Module):
    """Subtract the batch mean and divide by the average p-norm, taken before the shift.

        ŷ = γ · (y − mean(y)) / (s + 1e-5) + β,   s = mean|y| (p = 1), √mean(y²) (p = 2), max|y| (p = ∞)

    per unit, over batch and space. Evaluation uses running averages of mean and s (momentum 0.1). The
    paper's print leaves the statistic open: this is the reading that its figures agree with.

    Args:
        num_features: C.
        p: 1, 2 or infinity.
        literal: Take the print at its word: the p-norm of a unit's m values, divided by m. It is s · m^(1/p − 1),
            so that p = 2 and ∞ divide by ever less as m grows.
    Source: Santurkar et al. (2018), §3.3; Figures 5, 6, 12, 13.

    Raises:
        ValueError: for another p, an input without num_features units, or in train mode with one value per unit.

    Example:
        >>> norm = LpNorm(1, float("inf"))
        >>> norm(torch.tensor([[-1.0], [3.0]])).flatten()             # mean 1, max|y| 3
        tensor([-0.6667,  0.6667], grad_fn=<ViewBackward0>)
    """

    running_mean: Tensor
    running_scale: Tensor

    def __init__(self, num_features: int, p: float, *, literal: bool = False) -> None:
        super().__init__()
        if p not in (1, 2, float("inf")):
            raise ValueError(f"p must be 1, 2 or inf; found {p}.")
        self.p = p
        self.literal = literal
        self.eps = 1e-5
        self.momentum = 0.1
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_scale", torch.ones(num_features))

    def forward(self, y: Tensor) -> Tensor:
        check_features(y, len(self.weight))
        mean, scale = self._batch_statistics(y) if self.training else (self.running_mean, self.running_scale)
        factor = self.weight / (scale + self.eps)
        shift = self.bias - mean * factor  # |mean| ≤ s: nothing large cancels
        return affine_by_sample(y, per_unit(factor, y), per_unit(shift, y))

    def _batch_statistics(self, y: Tensor) -> tuple[Tensor, Tensor]:
        check_batch(y)
        mean, scale = y.mean([0, *range(2, y.ndim)]), _of_units(y, self.p)
        if self.literal:
            scale = scale * (y.numel() / y.shape[1]) ** (1 / self.p - 1)
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_scale.lerp_(scale, self.momentum)
        return mean, scale

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, p={self.p}"


class SampleLpNorm(nn.Module):
    """Another reading of §3.3: subtract the batch mean, divide each sample by the average p-norm of its own values.

        ŷ = γ · (y − mean(y)) / (s + 1e-5) + β,   mean over batch and space, s over units and space

    Example:
        >>> SampleLpNorm(2, float("inf"))(torch.tensor([[-1.0, 2.0], [1.0, 4.0]]))
        tensor([[-0.5000, -0.5000],
                [ 0.2500,  0.2500]], grad_fn=<AddBackward0>)
    """

    running_mean: Tensor

    def __init__(self, num_features: int, p: float) -> None:
        super().__init__()
        self.p = p
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, y: Tensor) -> Tensor:
        check_features(y, len(self.weight))
        mean = y.mean([0, *range(2, y.ndim)]) if self.training else self.running_mean
        if self.training:
            check_batch(y)
            with torch.no_grad():
                self.running_mean.lerp_(mean, 0.1)
        factor = per_unit(self.weight, y) / (_of_samples(y, self.p) + 1e-5).view(-1, *(1,) * (y.ndim - 1))
        return affine_by_sample(y, factor, per_unit(self.bias, y) - per_unit(mean, y) * factor)


def _of_units(y: Tensor, p: float) -> Tensor:
    """mean|y|, √mean(y²) or max|y| over batch and space, by reductions along one dimension, which are the fastest."""
    values = y.reshape(*y.shape[:2], -1)
    if p == 1 and in_long_rows(y):  # |y| = y · sign(y), whose sign is a constant to any derivative: fewer passes
        return torch.linalg.vecdot(values, values.detach().sign()).mean(0) / values.shape[2]
    if p == 1:
        return values.abs().mean([0, 2])
    if p == 2:
        lengths = torch.linalg.vector_norm(values, 2, 2)
        return torch.linalg.vector_norm(lengths, 2, 0) * (values.shape[1] / values.numel()) ** 0.5
    return _largest(values)


def _of_samples(y: Tensor, p: float) -> Tensor:
    """The same over units and space."""
    over = list(range(1, y.ndim))
    if p == 1:
        return y.abs().mean(over)
    if p == 2:
        # vector_norm has gradient 0 at 0, where a square root's is infinite: dead units stay dead, not NaN
        return torch.linalg.vector_norm(y, 2, over) * (1 / math.prod(y.shape[1:])) ** 0.5
    return _largest(y.flatten(2).transpose(0, 1)) if in_long_rows(y) else y.abs().amax(over)


def _largest(values: Tensor) -> Tensor:
    """max|values| over the first and the last of three dimensions.

    Example:
        >>> _largest(torch.tensor([[[1.0, -2.0], [3.0, 0.0]], [[-5.0, 4.0], [0.0, 1.0]]]))
        tensor([5., 3.])
    """
    with torch.no_grad():  # where along the first the largest value is: no other place has a gradient
        where = torch.maximum(values.amax(2), -values.amin(2)).argmax(0)
    return values[where, torch.arange(len(where), device=values.device)].abs().amax(1)
