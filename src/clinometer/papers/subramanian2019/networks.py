"""The networks of the author's code at small width: three convolutions, VGG7, and a densely connected one.

Layers are `features.layer3.conv`, `.norm` and `.relu`, also where there is no norm. The head has no norm, and the
initial weights depend on the seed and the shapes alone.
"""

import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from clinometer.nn.norms import norm_after
from clinometer.nn.norms.mean_spectral import project
from clinometer.nn.vgg import initialise_

Make = Callable[[nn.Module], nn.Module]  # a layer to the norm that stands after it


def normaliser(
    norm: str = "batch", *, n_power_iterations: int = 1, projection: bool = False, scale: bool = True
) -> Make:
    """What puts a norm after a layer.

    Args:
        norm: A row of `NORMS`.
        n_power_iterations: Of power iteration at each forward pass, where the norm is a spectral one.
        projection: Whether a spectral norm overwrites the weight, as in the author's code.
        scale: Whether a mean spectral norm has a γ.

    Example:
        >>> layer = nn.Conv2d(1, 2, 3)
        >>> type(normaliser("spectral", projection=True)(layer)).__name__, hasattr(layer, "renorm")
        ('Identity', True)
    """

    def put(layer: nn.Module) -> nn.Module:
        if norm == "mean_spectral":
            return norm_after(layer, norm, n_power_iterations=n_power_iterations, projection=projection, scale=scale)
        if norm != "spectral":
            return norm_after(layer, norm)
        if not projection:
            return norm_after(layer, norm, n_power_iterations=n_power_iterations)
        project(layer, n_power_iterations)
        return nn.Identity()

    return put


def layer(conv: nn.Conv2d, put: Make, seed: int, init: str, activation: nn.Module | None = None) -> nn.Sequential:
    """A convolution, its norm and a ReLU, or another activation."""
    initialise_(conv, seed, init)  # before the norm, which may reparametrise what is initialised
    return nn.Sequential(OrderedDict(conv=conv, norm=put(conv), relu=activation or nn.ReLU()))


class Stages(nn.Module):
    """Convolutional stages, and a linear layer on what they return, flattened."""

    def __init__(self, stages: Mapping[str, nn.Module], head: nn.Linear) -> None:
        super().__init__()
        self.features = nn.Sequential(OrderedDict(stages))
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).flatten(1))


class Dense(nn.Module):
    """A bottleneck of 1×1 and a 3×3 convolution, whose output is appended to their input's channels."""

    def __init__(self, bottleneck: nn.Module, grown: nn.Module) -> None:
        super().__init__()
        self.bottleneck, self.grown = bottleneck, grown

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, self.grown(self.bottleneck(images))], 1)


def cnn3(
    norm: str = "batch",
    width: int = 16,
    in_channels: int = 1,
    n_power_iterations: int = 1,
    projection: bool = False,
    scale: bool = True,
    init: str = "kaiming_normal",
    seed: int = 0,
) -> nn.Module:
    """Three convolutions for images of 8×8, the last with stride 2, and a linear layer.

    Args:
        norm: A row of `NORMS`, as for `normaliser`.
        width: Channels of the first convolution; the others have twice as many.
        in_channels: Of the images.
        n_power_iterations: As for `normaliser`.
        projection: As for `normaliser`.
        scale: As for `normaliser`.
        init: A row of `INITS`; torch's own, of the author's code, is near a third of Kaiming's deviation.
        seed: Of the weights.

    Example:
        >>> cnn3("mean_spectral")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    put = normaliser(norm, n_power_iterations=n_power_iterations, projection=projection, scale=scale)
    convs = (
        nn.Conv2d(in_channels, width, 3, padding=1),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.Conv2d(2 * width, 2 * width, 4, stride=2, padding=1),
    )
    stages = {f"layer{place}": layer(conv, put, 100 * seed + place, init) for place, conv in enumerate(convs, 1)}
    return Stages(stages, _head(2 * width * 16, 100 * seed, init))


def vgg7(
    norm: str = "batch",
    width: int = 32,
    in_channels: int = 3,
    n_power_iterations: int = 1,
    projection: bool = False,
    scale: bool = True,
    dropout: float = 0.0,
    init: str = "kaiming_normal",
    seed: int = 0,
) -> nn.Module:
    """Six convolutions of 3×3 for images of 32×32, halved four times by pooling and once by a border, and a head.

    Args:
        norm: A row of `NORMS`, as for `normaliser`.
        width: Channels of the first convolution, 32 in the author's code; later ones have up to 8 times as many.
        in_channels: Of the images.
        n_power_iterations: As for `normaliser`.
        projection: As for `normaliser`.
        scale: As for `normaliser`.
        dropout: After each ReLU; 0.3 in the author's code.
        init: A row of `INITS`.
        seed: Of the weights.

    Example:
        >>> vgg7("spectral", width=4)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    put = normaliser(norm, n_power_iterations=n_power_iterations, projection=projection, scale=scale)
    stages: dict[str, nn.Module] = {}
    channels, place = in_channels, 0
    for factor in (1, 1, 0, 2, 2, 0, 4, 0, 8, 0):  # 0 is a pool
        if not factor:
            stages[f"pool{place}"] = nn.MaxPool2d(2)
            continue
        place += 1
        conv = nn.Conv2d(channels, factor * width, 3, padding=0 if factor == 8 else 1)
        stages[f"layer{place}"] = layer(conv, put, 100 * seed + place, init)
        if dropout:
            stages[f"dropout{place}"] = nn.Dropout(dropout)
        channels = factor * width
    return Stages(stages, _head(channels, 100 * seed, init))


def densenet(
    norm: str = "batch",
    width: int = 12,
    depth: int = 16,
    in_channels: int = 3,
    n_power_iterations: int = 1,
    projection: bool = False,
    scale: bool = True,
    init: str = "kaiming_normal",
    seed: int = 0,
) -> nn.Module:
    """Three blocks of densely connected bottlenecks with transitions that keep 0.8 of the channels: DenseNet-BC.

    Every convolution is followed by its norm and a ReLU, where DenseNet puts norm and ReLU before it: so a norm on a
    weight and one on activations stand at the same places.

    Args:
        norm: A row of `NORMS`, as for `normaliser`.
        width: The growth of each bottleneck, 12 in the author's code; bottlenecks have 4 times as many channels.
        depth: Bottlenecks of each block, 16 in the author's code.
        in_channels: Of the images, 32×32.
        n_power_iterations: As for `normaliser`.
        projection: As for `normaliser`.
        scale: As for `normaliser`.
        init: A row of `INITS`.
        seed: Of the weights.
    Source: Huang, Liu, van der Maaten, Weinberger (2017), arXiv:1608.06993.

    Example:
        >>> densenet("mean_spectral", width=2, depth=1)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    put = normaliser(norm, n_power_iterations=n_power_iterations, projection=projection, scale=scale)
    seeds = itertools.count(1_000 * seed + 1)

    def next_layer(channels: int, out: int, side: int) -> nn.Sequential:
        return layer(nn.Conv2d(channels, out, side, padding=side // 2), put, next(seeds), init)

    channels = 2 * width
    stages: dict[str, nn.Module] = {"layer0": next_layer(in_channels, channels, 3)}
    for block in (1, 2, 3):
        for place in range(1, depth + 1):
            bottleneck = next_layer(channels, 4 * width, 1)
            stages[f"block{block}_{place}"] = Dense(bottleneck, next_layer(4 * width, width, 3))
            channels += width
        if block < 3:
            kept = round(0.8 * channels)
            stages[f"transition{block}"] = next_layer(channels, kept, 1)
            stages[f"pool{block}"] = nn.AvgPool2d(2)
            channels = kept
    stages["pool3"] = nn.AdaptiveAvgPool2d(1)
    return Stages(stages, _head(channels, 1_000 * seed, init))


def _head(in_features: int, seed: int, init: str) -> nn.Linear:
    head = nn.Linear(in_features, 10)
    initialise_(head, seed, init)
    return head
