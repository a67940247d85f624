"""A residual network on 8×8 digits."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from clinometer.nn.norms import norm_after
from clinometer.papers.instability.networks.parts import Head, he_


class ResidualBlock(nn.Module):
    """x + conv2(relu(norm1(conv1(x)))) with a norm after each convolution, then ReLU; both keep x's shape.

    Source: He et al. (2015), Figure 2.
    """

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = norm_after(self.conv1, norm)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = norm_after(self.conv2, norm)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(inner)))


def resnet(norm: str = "batch", width: int = 12, depth: int = 2, head_scale: float = 1.0) -> nn.Module:
    """A convolution `stem` to 4×4, residual blocks `block1`, `block2`, ..., then `head`.

    Args:
        norm: A row of `NORMS`.
        width: Channels.
        depth: How many residual blocks, of two convolutions each.
        head_scale: Factor on the logits.

    Example:
        >>> import torch
        >>> resnet()(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    conv = nn.Conv2d(1, width, 3, padding=1)
    stem = nn.Sequential(OrderedDict(conv=conv, norm=norm_after(conv, norm), relu=nn.ReLU()))
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=stem, pool=nn.MaxPool2d(2))
    for number in range(1, depth + 1):
        layers[f"block{number}"] = ResidualBlock(width, norm)
    layers["last_pool"] = nn.MaxPool2d(2)
    layers["flat"] = nn.Flatten()
    layers["head"] = Head(4 * width, 10, head_scale)
    return he_(nn.Sequential(layers))
