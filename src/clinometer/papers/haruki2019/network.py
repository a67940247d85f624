"""The network: two strided convolutions and a hidden layer, small enough to be trained on large batches on a CPU."""

from collections import OrderedDict

from torch import nn

from clinometer.nn.norms import apply_norm
from clinometer.papers.haruki2019.sizes import CHANNELS, SIDES


def network(dataset: str, width: int = 16, hidden: int = 64, norm: str = "none") -> nn.Module:
    """3×3 convolutions that halve the image, `layer1` and `layer2`, then `layer3`, fully connected, and `head`.

    Args:
        dataset: Whose images it takes.
        width: Channels of the first convolution; the second has twice as many.
        hidden: Units of `layer3`.
        norm: A row of `NORMS`, after each but the head. With BatchNorm, each worker normalises by its own part.

    Example:
        >>> import torch
        >>> network("digits")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    last = SIDES[dataset] // 4
    return nn.Sequential(
        OrderedDict(
            layer1=_layer(nn.Conv2d(CHANNELS[dataset], width, 3, 2, 1), norm),
            layer2=_layer(nn.Conv2d(width, 2 * width, 3, 2, 1), norm),
            flat=nn.Flatten(),
            layer3=_layer(nn.Linear(2 * width * last * last, hidden), norm),
            head=nn.Linear(hidden, 10),
        )
    )


def _layer(linear: nn.Module, norm: str) -> nn.Sequential:
    return nn.Sequential(OrderedDict(linear=apply_norm(linear, norm), relu=nn.ReLU()))
