"""The deep linear network: square linear layers, each followed by a norm, fit to one linear map.

Without norms it computes a linear function of its input, and is nonlinear in its weights alone: the smallest network
in which what a norm does to the loss landscape can be seen.
"""

from collections import OrderedDict

from torch import Tensor, nn

from clinometer.nn.norms import norm_after
from clinometer.nn.vgg import glorot_
from clinometer.papers.santurkar2018.networks.readings import READINGS


class DeepLinear(nn.Module):
    """W_k ⋯ W_1 x with a norm after each layer, without biases, in float64.

    Layers are counted from 1 at the input: `layers.layer3.linear` and `.norm`. Float64, since 25 BatchNorms amplify
    rounding: trajectories in float32 leave it by 2.5% within 50 steps.

    Args:
        norm: A row of `NORMS`.
        depth: How many layers, k.
        width: Units of each.
        last_norm: False leaves the last layer without a norm.
    Source: Santurkar et al. (2018), Appendix A; Figures 3(b), 5(b), 9, 10, 11(b), 13.

    Example:
        >>> import torch
        >>> DeepLinear(norm="batch", depth=3)(torch.zeros(4, 10, dtype=torch.float64)).shape
        torch.Size([4, 10])
    """

    def __init__(self, norm: str = "batch", depth: int = 25, width: int = 10, last_norm: bool = True) -> None:
        super().__init__()
        if depth < 1 or width < 1:
            raise ValueError(f"depth and width must be at least 1; found {depth} and {width}.")
        norms = [norm] * (depth - 1) + [norm if last_norm else "none"]
        self.layers = nn.Sequential(
            OrderedDict((f"layer{number}", _layer(width, name)) for number, name in enumerate(norms, 1))
        ).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def deep_linear(norm: str = "batch", reading: str = "dln", width: int = 10, seed: int = 0) -> nn.Module:
    """A deep linear network with Glorot weights drawn from the seed.

    Args:
        norm: A row of `NORMS`.
        reading: A row of `READINGS`.
        width: Units of each layer.
        seed: Of the weights.
    """
    return glorot_(DeepLinear(norm, width=width, last_norm=READINGS[reading].last_norm), seed)


def loss(outputs: Tensor, targets: Tensor, reading: str = "dln") -> Tensor:
    """The squared error as a reading has it: summed, or averaged, over samples and outputs.

    Example:
        >>> import torch
        >>> loss(torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 2.0]]), "dln_mean")
        tensor(1.2500)
    """
    return squared_error(outputs, targets, READINGS[reading].scale(*targets.shape))


def squared_error(outputs: Tensor, targets: Tensor, scale: float = 1.0) -> Tensor:
    """The sum over samples and outputs of the squared error, times `scale`.

    Example:
        >>> import torch
        >>> squared_error(torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        tensor(5.)
    """
    return (outputs - targets).square().sum() * scale


def _layer(width: int, norm: str) -> nn.Sequential:
    linear = nn.Linear(width, width, bias=False)
    return nn.Sequential(OrderedDict(linear=linear, norm=norm_after(linear, norm)))
