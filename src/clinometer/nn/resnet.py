"""A small residual network."""

from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.nn.norms import apply_norm


def resnet(width: int = 16, depth: int = 2, norm: str = "none", in_channels: int = 1, classes: int = 10) -> nn.Module:
    """A convolution with stride 2, then residual blocks of two convolutions each, the mean over places, a linear layer.

    Args:
        width: Channels.
        depth: How many blocks.
        norm: A row of `NORMS`, after each convolution.
        in_channels: Of the images, which may have any size.
        classes: How many logits.
    Source: He et al. (2015), arXiv:1512.03385, with one width.

    Example:
        >>> import torch
        >>> resnet(norm="batch", in_channels=3)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    stem = [*apply_norm(nn.Conv2d(in_channels, width, 3, stride=2, padding=1), norm), nn.ReLU()]
    blocks = [ResidualBlock(width, norm) for _ in range(depth)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


class ResidualBlock(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x))))))."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.inner = nn.Sequential(*apply_norm(first, norm), nn.ReLU(), *apply_norm(second, norm))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.inner(x))
