"""A grid of Gaussian filters over an image, or a line of them: where a patch is read, or written.

Pixels and filters are counted from 1, as in DRAW, so that a grid lies around its centre. With `counted_from=0`, as in
the author's code, it lies one stride further up and left, and its centre one pixel further down and right.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Filters:
    """N filters across and N filters down, each with sum 1 over its pixels, and the gain of the patch."""

    across: Tensor  # (n, N, side)
    down: Tensor  # (n, N, side)
    gain: Tensor  # (n, 1, 1)


@dataclass(frozen=True)
class Window:
    """Where a patch lies and how wide its filters are: five or six numbers a sample, made from the decoder's output."""

    centre: Tensor  # (n, 2) across and down, in pixels
    stride: Tensor  # (n, 1) between two filters, in pixels
    variance: Tensor  # (n, 1)
    gain: Tensor  # (n, 1)
    angle: Tensor | None = None  # (n, 1) of a line, in radians


def window(numbers: Tensor, side: int, grid: int) -> Window:
    """The window that five numbers stand for, or six: g̃_X, g̃_Y, log σ², log δ̃, log γ, and an angle.

        g = (side + 1)/2 · (g̃ + 1)    δ = (side − 1)/(N − 1) / e^{log δ̃}

    Args:
        numbers: (n, 5) or (n, 6).
        side: Of the image, in pixels.
        grid: N.
    Source: Gregor et al. (2015), arXiv:1502.04623, but for the sign of log δ̃, which is the author's code's.
    """
    centre, variance, stride, gain = numbers[:, :2], numbers[:, 2:3], numbers[:, 3:4], numbers[:, 4:5]
    return Window(
        (side + 1) / 2 * (centre + 1),
        (side - 1) / (grid - 1) / stride.exp(),
        variance.exp(),
        gain.exp(),
        numbers[:, 5:6] if numbers.shape[1] == 6 else None,
    )


def grid_filters(at: Window, side: int, grid: int, counted_from: int = 1) -> Filters:
    """The filters of a window: a grid, or where it has an angle a line.

        μ_i = g + (i − N/2 − ½) δ    F[i, a] ∝ exp(−(a − μ_i)² / 2σ²)

    A line's filters lie at g + (i − N/2 − ½) δ (−sin φ, cos φ).

    Args:
        at: The window.
        side: Of the image.
        grid: N.
        counted_from: The number of the first pixel and of the first filter.
    """
    numbers = torch.arange(grid, device=at.stride.device, dtype=at.stride.dtype) + counted_from
    along = (numbers - grid / 2 - 0.5) * at.stride  # (n, N)
    across, down = (along, along) if at.angle is None else (-at.angle.sin() * along, at.angle.cos() * along)
    bank_across = _bank(at.centre[:, :1] + across, at.variance, side, counted_from)
    bank_down = _bank(at.centre[:, 1:] + down, at.variance, side, counted_from)
    return Filters(bank_across, bank_down, at.gain.unsqueeze(2))


def _bank(means: Tensor, variance: Tensor, side: int, counted_from: int) -> Tensor:
    """Gaussians over the pixels with these means, (n, N, side), each with sum 1."""
    pixels = torch.arange(side, device=means.device, dtype=means.dtype) + counted_from
    bank = (-(pixels - means.unsqueeze(2)).square() / (2 * variance.unsqueeze(2))).exp()
    return bank / bank.sum(2, keepdim=True).clamp_min(1e-8)
