"""Read: a patch of the image and the same patch of what is not yet drawn."""

import torch
from torch import Tensor, nn

from clinometer.papers.toth2019.filters import Filters, grid_filters, window
from clinometer.papers.toth2019.latent import small_linear


class Read(nn.Module):
    """Looks at an image through N × N Gaussian filters, whose place the decoder's last output chooses.

    Args:
        hidden: Size of the decoder's output.
        side: Of the image.
        grid: N.
        counted_from: As for `grid_filters`.
    Source: Gregor et al. (2015), arXiv:1502.04623, section 3.2.
    """

    def __init__(self, hidden: int, side: int, grid: int, counted_from: int = 1) -> None:
        super().__init__()
        self.side, self.grid, self.counted_from = side, grid, counted_from
        self.window = small_linear(hidden, 5)

    def forward(self, image: Tensor, error: Tensor, heard: Tensor) -> Tensor:
        """(n, 2 N²): the patch of `image` and that of `error`, (n, side, side) each."""
        filters = grid_filters(
            window(self.window(heard), self.side, self.grid), self.side, self.grid, self.counted_from
        )
        return torch.cat([patch(filters, image), patch(filters, error)], 1)


def patch(filters: Filters, image: Tensor) -> Tensor:
    """γ F_down · image · F_acrossᵀ, flattened: (n, N²)."""
    return (filters.gain * (filters.down @ image @ filters.across.mT)).flatten(1)
