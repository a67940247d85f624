"""Convolutional networks on a grid: with zeros around the image, on a torus, and on a torus with a stride."""

from torch import nn

from clinometer.papers.bronstein2021.networks.staged import Staged, activated, check_depth, for_relu


def grid(width: int = 12, depth: int = 4, norm: str = "none", padding: str = "zeros", stride: int = 1) -> Staged:
    """A network of 3×3 convolutions on one-channel images.

    On a torus (`circular`) each stage commutes with all cyclic shifts; with zeros around the image it does at no shift,
    since an object near the edge sees the edge. With a stride, every shift by a multiple of it is left.

    Args:
        width: Channels of each stage.
        depth: Stages.
        norm: A row of `NORMS`.
        padding: `zeros` or `circular`.
        stride: Of the stage in the middle; it must divide the side of the images.

    Raises:
        ValueError: if there is no such padding, or a number is below 1.

    Example:
        >>> import torch
        >>> grid()(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    check_depth(depth, width)
    if padding not in ("zeros", "circular"):
        raise ValueError(f"padding must be 'zeros' or 'circular'; found {padding!r}.")
    if stride < 1:
        raise ValueError(f"stride must be at least 1; found {stride}.")
    strides = [stride if place == depth // 2 else 1 for place in range(depth)]
    inputs = [(1, width), *[(width, width)] * (depth - 1)]
    layers = [nn.Conv2d(*of, 3, step, 1, padding_mode=padding) for of, step in zip(inputs, strides, strict=True)]
    return Staged([activated(for_relu(layer), norm, width, 2) for layer in layers], "plane", width)
