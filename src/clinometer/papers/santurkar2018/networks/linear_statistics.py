"""The loss of a deep linear network from the mean and covariance of its data alone, for many networks at once.

A layer's outputs over n samples are a matrix with one row per unit. Linear layers, BatchNorm and L2 normalization see
of a row its length and its component along the constant vector, and so commute with every rotation of sample space
that leaves the constant vector in place. One of these rotations turns the inputs X (d × n) into

    √n · [R | x̄ | 0 ⋯ 0],   R Rᵀ the biased covariance of the inputs, x̄ their mean,

so d + 1 columns stand for all n samples: the last one carries the mean, the others what varies. The network maps
them as it maps samples, and the squared error is n times theirs. Nothing is approximated. L1 and L∞ normalization
are out: mean |y| and max |y| change under rotations.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Point = Mapping[str, Tensor]  # a parameter's name -> one value per network, along the leading axis

EPS = 1e-5  # BatchNorm1d's, under the root; LpNorm's, beside it


@dataclass(frozen=True)
class Statistics:
    """What the losses of several networks depend on, each network with data of its own."""

    columns: Tensor  # (seeds, d, d + 1) [R | x̄]
    targets: Tensor  # (seeds, d, d + 1) A [R | x̄], which the network should make of them
    scale: float  # of the squared error of the columns: n where the loss sums over samples


def statistics(inputs: Tensor, matrix: Tensor, scale: float = 1.0) -> Statistics:
    """The statistics of one data set, with a leading axis of one.

    Args:
        inputs: Samples, shape (n, d).
        matrix: A, shape (d, d): the targets are A x.
        scale: What the loss multiplies the sum of squared errors by.

    Example:
        >>> statistics(torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0]])).columns.abs()     # deviation 1, mean 2
        tensor([[[1., 2.]]])
    """
    samples = len(inputs)
    mean = inputs.mean(0)
    # QR of the samples, not a root of their covariance: squaring first would lose half the digits.
    factor = torch.linalg.qr(inputs - mean, mode="r").R.T / math.sqrt(samples)
    columns = torch.cat([factor, mean[:, None]], 1)
    return Statistics(columns[None], (matrix @ columns)[None], samples * scale)


def stacked(parts: Sequence[Statistics]) -> Statistics:
    """Statistics of equal shape and scale along one leading axis."""
    columns, targets = (torch.cat([getattr(part, name) for part in parts]) for name in ("columns", "targets"))
    return Statistics(columns, targets, parts[0].scale)


def _batch(rows: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    varying = rows[..., :-1]
    factor = gamma * (varying.square().sum(-1) + EPS).rsqrt()
    return torch.cat([varying * factor[..., None], beta[..., None]], -1)


def _l2(rows: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    factor = gamma / (torch.linalg.vector_norm(rows, dim=-1) + EPS)  # uncentred: the mean is part of the row
    return torch.cat([rows[..., :-1] * factor[..., None], beta[..., None]], -1)


def _none(rows: Tensor, _gamma: Tensor, _beta: Tensor) -> Tensor:
    return rows


# What a norm with affine (γ, β), each (seeds, d), makes of the rows [deviations | mean], (seeds, d, d + 1).
EXACT: Mapping[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"none": _none, "batch": _batch, "l2": _l2}


def losses(point: Point, data: Statistics, norm: str) -> Tensor:
    """The loss of each network, shape (seeds,), equal to that of `DeepLinear` on all samples but for rounding.

    A network's loss and gradient do not depend on the others in the stack, bit for bit on the CPUs where it was
    tested. Cost per network and step: about that of the plain network on d + 1 samples.

    Args:
        point: `DeepLinear`'s parameters by its names, each with a leading axis for the networks. A layer without
            `norm.weight` has no norm.
        data: Their statistics.
        norm: A row of `EXACT`.

    Example:
        >>> point = {"layers.layer1.linear.weight": torch.tensor([[[1.0]], [[2.0]]])}         # w = 1 and w = 2
        >>> both = stacked([statistics(torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0]]))] * 2)
        >>> losses(point, both, "none")                                              # Σ (wx − 2x)² over x = 1, 3
        tensor([10.,  0.])
    """
    normalized = EXACT[norm]
    rows, layer = data.columns, "layers.layer1"
    number = 1
    while (weight := point.get(f"{layer}.linear.weight")) is not None:
        rows = weight @ rows
        if f"{layer}.norm.weight" in point:
            rows = normalized(rows, point[f"{layer}.norm.weight"], point[f"{layer}.norm.bias"])
        number += 1
        layer = f"layers.layer{number}"
    return (rows - data.targets).square().sum((-2, -1)) * data.scale
