"""VGG: 3×3 convolutions in stages, each followed by a norm and ReLU, and one linear layer.

Depth, width and norm are arguments, and the initial weights depend on the seed and the shapes alone: two
networks that differ only in their norm start from the same weights.
"""

import functools
from collections import OrderedDict
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from clinometer.nn.norms import norm_after
from clinometer.nn.norms.on_weights import fill_weight_
from clinometer.nn.vgg_plans import Plan

# Of a layer's weights. Glorot's two have the same variance; Kaiming's has twice that where fan-in equals fan-out.
INITS: Mapping[str, Callable[..., Tensor]] = {
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "kaiming_normal": functools.partial(nn.init.kaiming_normal_, nonlinearity="relu"),
}


class VGG(nn.Module):
    """A VGG for square images whose side the plan's pools halve to 1.

    Layers are counted from 1 at the input: `features.layer3.conv`, `.norm` and `.relu`. No norm stands on the
    logits.

    Args:
        plan: Output channels and pools; a row of `PLANS`.
        norm: A row of `NORMS`.
        width: Factor on every number of channels.
        in_channels: Channels of the image.
        num_classes: How many logits.
    Source: Simonyan and Zisserman (2014); Santurkar et al. (2018), Appendix A.

    Example:
        >>> from clinometer.nn.vgg_plans import PLANS
        >>> VGG(PLANS["vgg16"], norm="batch", width=1 / 8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, plan: Plan, norm: str = "batch", width: float = 1.0, in_channels: int = 3, num_classes: int = 10
    ) -> None:
        super().__init__()
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        channels, layer = in_channels, 0
        for entry in plan:
            if isinstance(entry, str):
                stages[f"pool{layer}"] = nn.MaxPool2d(2)
                continue
            layer += 1
            wide = max(1, round(entry * width))
            stages[f"layer{layer}"] = _convolution(channels, wide, norm)
            channels = wide
        self.features = nn.Sequential(stages)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).flatten(1))


def _convolution(in_channels: int, out_channels: int, norm: str) -> nn.Sequential:
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    return nn.Sequential(OrderedDict(conv=conv, norm=norm_after(conv, norm), relu=nn.ReLU(inplace=True)))


def glorot_(model: nn.Module, seed: int) -> nn.Module:
    """Glorot-uniform weights and zero biases for every convolution and linear layer, in place; see `initialise_`.

    Source: Glorot and Bengio (2010); Santurkar et al. (2018), Appendix A.

    Example:
        >>> first, second = (glorot_(nn.Linear(2, 2), seed=0).weight for _ in range(2))
        >>> bool((first == second).all())
        True
    """
    return initialise_(model, seed, "glorot_uniform")


def initialise_(model: nn.Module, seed: int, init: str) -> nn.Module:
    """Random weights and zero biases for every convolution and linear layer, in place.

    The draws come from `seed` alone, in registration order; norms keep their initial affine.

    Args:
        model: The network.
        seed: Of the weights.
        init: A row of `INITS`.

    Example:
        >>> initialise_(nn.Linear(2, 2), seed=0, init="kaiming_normal").bias
        Parameter containing:
        tensor([0., 0.], requires_grad=True)
    """
    if init not in INITS:
        raise ValueError(f"no initialisation {init!r}; there are {', '.join(INITS)}.")
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            fill_weight_(module, functools.partial(INITS[init], generator=generator))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
