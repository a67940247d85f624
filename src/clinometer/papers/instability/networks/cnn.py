"""A plain convolutional network on 8×8 digits."""

from collections import OrderedDict

from torch import nn

from clinometer.nn.norms import norm_after
from clinometer.papers.instability.networks.parts import Head, he_


def cnn(norm: str = "none", width: int = 8, depth: int = 4, head_scale: float = 1.0) -> nn.Module:
    """3×3 convolutions `layer1`, `layer2`, ..., each with norm and ReLU, then `head`.

    Half of them work at 8×8 and, after a pool, the others at 4×4 with twice as many channels.

    Args:
        norm: A row of `NORMS`.
        width: Channels of the first half.
        depth: How many convolutions.
        head_scale: Factor on the logits.

    Example:
        >>> import torch
        >>> cnn("batch")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 1
    for number in range(1, depth + 1):
        late = number > depth // 2
        if late and "pool" not in layers:
            layers["pool"] = nn.MaxPool2d(2)
        wide = 2 * width if late else width
        layers[f"layer{number}"] = _layer(channels, wide, norm)
        channels = wide
    layers["last_pool"] = nn.MaxPool2d(2)
    layers["flat"] = nn.Flatten()
    layers["head"] = Head(4 * channels, 10, head_scale)
    return he_(nn.Sequential(layers))


def _layer(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(OrderedDict(conv=conv, norm=norm_after(conv, norm), relu=nn.ReLU()))
