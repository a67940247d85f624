"""Write: what one drawing step adds to the canvas, and where."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clinometer.papers.toth2019.filters import grid_filters, window
from clinometer.papers.toth2019.latent import small_linear


@dataclass(frozen=True)
class Stroke:
    """What is added to the canvas."""

    drawn: Tensor  # (n, side, side)
    centres: Tensor  # (n, patches, 2) across and down, in pixels


class GridWrite(nn.Module):
    """One patch of N × N values, drawn through as many Gaussian filters: F_downᵀ · W · F_across / γ.

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
        self.window, self.values = small_linear(hidden, 5), small_linear(hidden, grid * grid)

    def forward(self, hidden: Tensor) -> Stroke:
        at = window(self.window(hidden), self.side, self.grid)
        filters = grid_filters(at, self.side, self.grid, self.counted_from)
        values = self.values(hidden).view(-1, self.grid, self.grid)
        return Stroke(filters.down.mT @ values @ filters.across / filters.gain, at.centre.unsqueeze(1))


class LineWrite(nn.Module):
    """Some lines of N Gaussian spots each, white alone: Σ_lines Σ_i F_down[i] ⊗ F_across[i] / γ.

    Args:
        hidden: Size of the decoder's output.
        side: Of the image.
        grid: N.
        counted_from: As for `grid_filters`.
        patches: How many lines.
    Source: the author's code.
    """

    def __init__(self, hidden: int, side: int, grid: int, counted_from: int = 1, patches: int = 3) -> None:
        super().__init__()
        self.side, self.grid, self.counted_from = side, grid, counted_from
        self.windows = nn.ModuleList(small_linear(hidden, 6) for _ in range(patches))

    def forward(self, hidden: Tensor) -> Stroke:
        windows = [window(each(hidden), self.side, self.grid) for each in self.windows]
        lines: list[Tensor] = []
        for at in windows:
            filters = grid_filters(at, self.side, self.grid, self.counted_from)
            lines.append(filters.down.mT @ filters.across / filters.gain)
        return Stroke(torch.stack(lines).sum(0), torch.stack([at.centre for at in windows], 1))
