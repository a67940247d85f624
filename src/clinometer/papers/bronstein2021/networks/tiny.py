"""Networks small enough for their whole Hessian, with the continuous symmetries that their losses have."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from clinometer.papers.bronstein2021.networks.rotations import LiftingConv
from clinometer.papers.bronstein2021.symmetries import Generator, mixing, rescaling, scaling, shift, translation

SIDE, OUTPUTS = 4, 6  # as many outputs as hidden units at least, or a linear network has more flat directions


class Tiny(nn.Module):
    """A network with one hidden layer: (first, norm, activation), a mean over the domain, a linear head.

    Args:
        first: The first layer, of images (N, 1, 4, 4).
        activation: After it.
        norm: Between both.
        hidden: Units, or channels.
    """

    def __init__(self, first: nn.Module, activation: nn.Module, norm: nn.Module, hidden: int) -> None:
        super().__init__()
        self.first, self.norm, self.activation = first, norm, activation
        self.head = nn.Linear(hidden, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.activation(self.norm(self.first(x))).flatten(2).mean(2))


class Dense(nn.Module):
    """A linear map of an image's pixels, to (N, hidden, 1)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Linear(SIDE**2, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)).unsqueeze(2)


class ExactBatchNorm(nn.Module):
    """BatchNorm by the batch's own statistics with ε = 0, which torch's refuses: the scale before it is free.

    Example:
        >>> norm, x = ExactBatchNorm(2), torch.tensor([[[1.0, 3.0], [5.0, 6.0]]])
        >>> bool((norm(x) == norm(4 * x)).all())
        True
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        over = [0, *range(2, x.ndim)]
        wide = (-1, *(1,) * (x.ndim - 2))
        centred = x - x.mean(over, keepdim=True)
        deviation = centred.square().mean(over, keepdim=True).sqrt()
        return centred / deviation * self.weight.view(wide) + self.bias.view(wide)


def tiny(kind: str, hidden: int = 4) -> Tiny:
    """A network of a kind of `KINDS`.

    Raises:
        ValueError: if there is no such kind, or no unit.

    Example:
        >>> sum(p.numel() for p in tiny("relu").parameters()), len(KINDS["relu"](4))
        (98, 4)
    """
    if kind not in KINDS or hidden < 1:
        raise ValueError(f"expected a kind of {', '.join(KINDS)} with at least one unit; found {kind!r} and {hidden}.")
    if kind == "conv":
        return Tiny(nn.Conv2d(1, hidden, 3, padding=1), nn.ReLU(), ExactBatchNorm(hidden), hidden)
    if kind == "p4":
        return Tiny(LiftingConv(1, hidden), nn.ReLU(), ExactBatchNorm(hidden), hidden)
    activations: Mapping[str, nn.Module] = {"tanh": nn.Tanh(), "relu": nn.ReLU(), "linear": nn.Identity()}
    return Tiny(Dense(hidden), activations[kind], nn.Identity(), hidden)


_MLP, _BIAS = "first.linear.weight", "first.linear.bias"


def _tanh(_hidden: int) -> list[Generator]:
    """None: tanh has reflections of its units alone, which are not continuous."""
    return []


def _relu(hidden: int) -> list[Generator]:
    """Weights and bias into a unit times c, weights out of it over c."""
    return [rescaling((_MLP, _BIAS), "head.weight", unit) for unit in range(hidden)]


def _linear(hidden: int) -> list[Generator]:
    """Any invertible map of the hidden layer, and any translation of it, which the head takes back."""
    pairs = [(i, j) for i in range(hidden) for j in range(hidden)]
    return [mixing((_MLP, _BIAS), "head.weight", *pair) for pair in pairs] + [
        translation(_BIAS, "head.weight", "head.bias", unit) for unit in range(hidden)
    ]


def _normalised(hidden: int) -> list[Generator]:
    """Per channel: the filter times c; any bias before the norm; γ and β times c, weights out of the channel over c."""
    return [
        generator
        for channel in range(hidden)
        for generator in (
            scaling("first.weight", channel),
            shift("first.bias", channel),
            rescaling(("norm.weight", "norm.bias"), "head.weight", channel),
        )
    ]


KINDS: Mapping[str, Callable[[int], list[Generator]]] = {
    "tanh": _tanh,
    "relu": _relu,
    "linear": _linear,
    "conv": _normalised,
    "p4": _normalised,
}


def samples(count: int = 400, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Gaussian images (count, 1, 4, 4), and Gaussian noise (count, 6) for the targets.

    Args:
        count: How many.
        seed: Of both.
    """
    generator = torch.Generator().manual_seed(seed)
    shapes = (count, 1, SIDE, SIDE), (count, OUTPUTS)
    images, noise = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return images, noise


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean over samples of the squared distance between outputs and targets."""
    return (outputs - targets).square().sum(1).mean()
