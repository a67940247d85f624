"""The normalizations that torch has as layers, for any number of spatial dimensions."""

from typing import Any

from torch import nn


def batch_norm(num_features: int, spatial_dims: int, **options: Any) -> nn.Module:
    """Torch's BatchNorm: per unit, over batch and space.

        y ← γ · (y − mean(y)) / √(var(y) + ε) + β

    Evaluation uses running averages of mean and variance. Sees neither c · y + d per unit, c > 0, nor the layer's bias.

    Source: Ioffe and Szegedy (2015), arXiv:1502.03167.

    Raises:
        ValueError: for other than 0 to 3 spatial dimensions.

    Example:
        >>> import torch
        >>> batch_norm(1, 0)(torch.tensor([[2.0], [4.0]])).detach().round()
        tensor([[-1.],
                [ 1.]])
    """
    kinds = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
    if spatial_dims not in kinds:
        raise ValueError(f"spatial_dims must be 0, 1, 2 or 3; found {spatial_dims}.")
    return kinds[spatial_dims](num_features, **options)


def group_norm(num_features: int, spatial_dims: int, *, groups: int | None = None, **options: Any) -> nn.Module:
    """Torch's GroupNorm: per sample, over each group of units and space.

        y ← γ · (y − mean(y)) / √(var(y) + ε) + β

    Training and evaluation are alike. Sees neither c · y + d, c > 0, of a sample's group.

    Args:
        num_features: C.
        spatial_dims: Of y.
        groups: How many; by default the paper's 32, or the largest power of two below that leaves 4 units to a group.
        options: Of torch's layer.
    Source: Wu and He (2018), arXiv:1803.08494.

    Raises:
        ValueError: if `groups` does not divide C, or without space leaves one unit to a group.

    Example:
        >>> [group_norm(features, 2).num_groups for features in (16, 48, 64, 512)]
        [4, 8, 16, 32]
    """
    count = max(_groups_of(num_features)) if groups is None else groups
    if count < 1 or num_features % count:
        raise ValueError(f"groups must divide the number of features, {num_features}; found {count}.")
    if spatial_dims == 0 and count == num_features:
        raise ValueError(
            f"without space each of {count} groups would have one value, which would become 0; have fewer."
        )
    return nn.GroupNorm(count, num_features, **options)


def _groups_of(num_features: int) -> list[int]:
    """1, and powers of two up to 32 that leave at least 4 units to a group."""
    return [1, *(count for count in (2, 4, 8, 16, 32) if num_features % count == 0 and num_features >= 4 * count)]


def instance_norm(num_features: int, spatial_dims: int, **options: Any) -> nn.Module:
    """Torch's InstanceNorm: per sample and unit, over space.

        y ← γ · (y − mean(y)) / √(var(y) + ε) + β

    Training and evaluation are alike. Sees neither c · y + d, c > 0, of a sample's unit, nor the layer's bias.

    Source: Ulyanov et al. (2016), arXiv:1607.08022.

    Raises:
        ValueError: without spatial dimensions, where each value would be its own mean.

    Example:
        >>> import torch
        >>> instance_norm(2, 1)(torch.tensor([[[1.0, 1.0], [0.0, 5.0]]])).detach().round()
        tensor([[[ 0.,  0.],
                 [-1.,  1.]]])
    """
    kinds = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
    if spatial_dims not in kinds:
        raise ValueError(f"instance norm is over space: spatial_dims must be 1, 2 or 3; found {spatial_dims}.")
    return kinds[spatial_dims](num_features, **{"affine": True, **options})
