"""The grid of learning rates, in half octaves, and which of its points each optimizer's sweep tries."""

from dataclasses import dataclass
from typing import Any

from clinometer.training.errors import check_choice

POINTS = 7  # of a sweep
STRIDE = 3  # half octaves between them: a factor of 2.8


@dataclass(frozen=True)
class Grid:
    """The rates 2^(k/2) for whole k, from `lowest` to `highest`; a sweep has 7 of them, from `first` on."""

    first: int
    lowest: int
    highest: int

    @property
    def sweep(self) -> list[int]:
        """The half octaves of the sweep that a user would make."""
        return [self.first + STRIDE * index for index in range(POINTS)]


# Sweeps that a user would make: 0.004 to 2, 0.0005 to 0.25, 0.00006 to 0.03, 0.0007 to 0.35. Where the last rate is
# still stable the grid goes on by three to four more factors of 2.8, and where the first one is not, by two below.
GRIDS = {
    "sgd": Grid(first=-16, lowest=-22, highest=14),
    "momentum": Grid(first=-22, lowest=-28, highest=8),
    "adamw": Grid(first=-28, lowest=-34, highest=2),
    "muon": Grid(first=-21, lowest=-27, highest=9),
}


def grid_of(config: Any) -> Grid:
    """The grid of a config's optimizer."""
    return GRIDS[check_choice("optimizer", family_of(config), GRIDS)]


def family_of(config: Any) -> str:
    """The name of a config's optimizer in `GRIDS`."""
    return config.optimizer.rpartition(":")[2].lower()
