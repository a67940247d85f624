"""The data of the deep linear network: Gaussian inputs and a Gaussian linear map to fit."""

from dataclasses import dataclass

import torch
from torch import Tensor

# Off the weights' seeds. Not 2³²: torch's CPU generator reads the lower 32 bits of a seed, and the weights' own stream
# would come again.
_OFFSET = 2**31


@dataclass(frozen=True)
class Regression:
    """Inputs, and the linear map that makes their targets."""

    inputs: Tensor  # (samples, width) float64
    matrix: Tensor  # (width, width) A
    targets: Tensor  # (samples, width) A x


def gaussian(seed: int, samples: int = 1000, width: int = 10, device: str = "cpu") -> Regression:
    """Inputs x ~ N(0, I) and A with entries from N(0, 1), drawn from the seed, apart from the weights.

    Source: Santurkar et al. (2018), Appendix A.

    Example:
        >>> gaussian(seed=0).inputs.shape
        torch.Size([1000, 10])
    """
    generator = torch.Generator().manual_seed(seed + _OFFSET)
    inputs = torch.randn(samples, width, generator=generator, dtype=torch.float64).to(device)
    matrix = torch.randn(width, width, generator=generator, dtype=torch.float64).to(device)
    return Regression(inputs, matrix, inputs @ matrix.T)


def samples_and_targets(seed: int, samples: int = 1000, width: int = 10) -> tuple[Tensor, Tensor]:
    """Inputs and targets of `gaussian`, as a config's `data` returns them."""
    data = gaussian(seed, samples, width)
    return data.inputs, data.targets
