"""Convolutions over p4, the group of translations and rotations by right angles, and the network made of them.

A signal on p4 has a plane for each of the four rotations. Rotating the image rotates the planes and moves each to the
next place, and both convolutions commute with that, exactly on a square grid: a filter is rotated by moving its
entries, and nothing is interpolated. Zeros around a square lie as they did when it is rotated.

Source: Cohen and Welling (2016), arXiv:1602.07576; Bronstein et al. (2021), section 5.2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer.papers.bronstein2021.networks.staged import Staged, activated, check_depth

ROTATIONS = 4


class LiftingConv(nn.Module):
    """From an image to a signal on p4: one convolution by each rotation of the filters.

        y[o, r] = Σ_i x[i] * (filter[o, i] rotated by r right angles) + bias[o]

    Args:
        inputs: Channels of the image.
        outputs: Channels of the signal.
        side: Of the filters; odd.
        padding: `zeros` or `circular`.

    Example:
        >>> LiftingConv(1, 2)(torch.zeros(3, 1, 8, 8)).shape
        torch.Size([3, 2, 4, 8, 8])
    """

    def __init__(self, inputs: int, outputs: int, side: int = 3, padding: str = "zeros") -> None:
        super().__init__()
        self.weight = _filters(outputs, inputs, side, side)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        bank = torch.stack([torch.rot90(self.weight, r, (-2, -1)) for r in range(ROTATIONS)], 1)
        return _convolved(x, bank, self.bias, self.padding)


class GroupConv(nn.Module):
    """From a signal on p4 to another: a convolution over translations and rotations.

        y[o, r] = Σ_i Σ_s x[i, s] * (filter[o, i, s − r] rotated by r right angles) + bias[o]

    Args:
        inputs: Channels.
        outputs: Channels.
        side: Of the filters; odd.
        padding: `zeros` or `circular`.

    Example:
        >>> GroupConv(2, 5)(torch.zeros(3, 2, 4, 8, 8)).shape
        torch.Size([3, 5, 4, 8, 8])
    """

    def __init__(self, inputs: int, outputs: int, side: int = 3, padding: str = "zeros") -> None:
        super().__init__()
        self.weight = _filters(outputs, inputs, ROTATIONS, side, side)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        bank = torch.stack([torch.rot90(self.weight, r, (-2, -1)).roll(r, 2) for r in range(ROTATIONS)], 1)
        return _convolved(x.flatten(1, 2), bank.flatten(2, 3), self.bias, self.padding)


def rotations(width: int = 6, depth: int = 4, norm: str = "none", padding: str = "zeros") -> Staged:
    """A network of 3×3 p4 convolutions on one-channel square images.

    With half the channels it has as many parameters as `grid`: each filter has four planes, and there are half as many
    channels to take in and to put out.

    Args:
        width: Channels of each stage, each with four planes.
        depth: Stages, the lifting one included.
        norm: A row of `NORMS`, over a channel's four planes together.
        padding: `zeros` or `circular`.

    Raises:
        ValueError: if there is no such padding, or a number is below 1; and, at an image that is no square, when it
            runs.
    """
    check_depth(depth, width)
    layers = [LiftingConv(1, width, padding=padding)]
    layers += [GroupConv(width, width, padding=padding) for _ in range(depth - 1)]
    return Staged([activated(layer, norm, width, 3) for layer in layers], "turned", width)


def _filters(*shape: int) -> nn.Parameter:
    """Filters (outputs, inputs, ..., side, side), drawn as torch's `kaiming_normal_` does for a ReLU."""
    if shape[-1] % 2 == 0:
        raise ValueError(f"filters must have an odd side, or they have no centre to rotate about; found {shape[-1]}.")
    return nn.Parameter(nn.init.kaiming_normal_(torch.empty(shape), nonlinearity="relu"))


def _convolved(x: Tensor, bank: Tensor, bias: Tensor, padding: str) -> Tensor:
    """Convolve planes (N, I, H, W) with a bank (O, 4, I, k, k), to (N, O, 4, H, W)."""
    if padding not in ("zeros", "circular"):
        raise ValueError(f"padding must be 'zeros' or 'circular'; found {padding!r}.")
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(
            f"a p4 convolution needs square images, which right angles map onto themselves; found {x.shape[-2]}×"
            f"{x.shape[-1]}. Crop or pad them to a square."
        )
    around = (bank.shape[-1] // 2,) * 4
    wide = F.pad(x, around, "circular" if padding == "circular" else "constant")
    found = F.conv2d(wide, bank.flatten(0, 1)).unflatten(1, bank.shape[:2])
    return found + bias.view(-1, 1, 1, 1)
