"""Smooth random deformations of images, and how far a network's features move with them.

    x_τ(u) = x(u − τ(u)),      ‖f(x_τ) − f(x)‖ ≤ C ‖∇τ‖ ‖x‖

‖∇τ‖ is the largest singular value of the Jacobian of τ over all pixels: 0 for a translation, and 1 where an image may
fold. C is measured: the ratio of both sides, without C.

Source: Bronstein et al. (2021), section 3.3, where c(τ) says how far τ is from the group; ‖∇τ‖ is this c here.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_WAVES = 2  # half waves along each side, at most


@dataclass(frozen=True)
class Warp:
    """A displacement of the pixels of a square image."""

    displacement: Tensor  # (side, side, 2) τ, in pixels: rows, columns
    gradient: Tensor  # (side, side, 2, 2) ∇τ, a pure number

    @property
    def size(self) -> float:
        """‖∇τ‖, the largest singular value over all pixels."""
        return float(torch.linalg.matrix_norm(self.gradient, 2).max())


def random_warp(side: int, size: float, generator: torch.Generator) -> Warp:
    """A smooth displacement that vanishes at the border, with ‖∇τ‖ = `size`.

        τ(u) = Σ a_kl sin(k π u₁ / side) sin(l π u₂ / side),   k, l = 1, 2, with Gaussian a

    Args:
        side: Of the images; the border runs half a pixel outside of the first and last pixels.
        size: ‖∇τ‖; below 1 no image folds.
        generator: Of a.

    Raises:
        ValueError: if the size is not positive and below 1.

    Example:
        >>> round(random_warp(8, 0.2, torch.Generator().manual_seed(0)).size, 6)
        0.2
    """
    if not 0 < size < 1:
        raise ValueError(f"the size of a warp must lie in (0, 1), where no image folds; found {size}.")
    amounts = torch.randn(2, _WAVES, _WAVES, generator=generator, dtype=torch.float64)
    frequency = math.pi / side * torch.arange(1, _WAVES + 1, dtype=torch.float64)
    phase = frequency[:, None] * (torch.arange(side, dtype=torch.float64) + 0.5)  # (waves, side)
    sines, slopes = phase.sin(), frequency[:, None] * phase.cos()
    displacement = torch.einsum("ckl,ki,lj->ijc", amounts, sines, sines)
    along_rows = torch.einsum("ckl,ki,lj->ijc", amounts, slopes, sines)
    along_columns = torch.einsum("ckl,ki,lj->ijc", amounts, sines, slopes)
    drawn = Warp(displacement, torch.stack([along_rows, along_columns], -1))
    return Warp(displacement * (size / drawn.size), drawn.gradient * (size / drawn.size))


def warped(x: Tensor, displacement: Tensor) -> Tensor:
    """x_τ: the images (N, C, side, side), bilinear between pixels; outside, each border pixel goes on.

    Raises:
        ValueError: if images and displacement are of different sides.

    Example:
        >>> warped(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.tensor([0.0, 1.0]).expand(2, 2, 2))
        tensor([[[[1., 1.],
                  [3., 3.]]]])
    """
    if x.shape[-2:] != displacement.shape[:2]:
        raise ValueError(f"expected images of {tuple(displacement.shape[:2])} pixels; found {tuple(x.shape[-2:])}.")
    height, width = x.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows, columns], -1).to(x) - displacement.to(x)
    sides = torch.tensor([height, width]).to(x)
    grid = ((2 * places + 1) / sides - 1).flip(-1)  # grid_sample counts from −1 to 1, and columns first
    return F.grid_sample(x, grid.expand(len(x), -1, -1, -1), "bilinear", "border", align_corners=False)
