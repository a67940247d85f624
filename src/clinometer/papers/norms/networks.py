"""A small VGG and a small residual network, with one norm after, or on, every convolution.

Both are built without a norm and given the seed's weights first: networks of one seed differ in their norm alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from clinometer.nn.norms import apply_norm, norm_after
from clinometer.nn.resnet import ResidualBlock
from clinometer.nn.resnet import resnet as plain_resnet
from clinometer.nn.vgg import VGG, initialise_
from clinometer.nn.vgg_plans import POOL, Plan

# Standardized weights alone multiply what a layer returns by √fan-in; their paper puts group norm after them.
FOLLOWED_BY: Mapping[str, str] = {"weight_standardization": "group"}
Build = Callable[..., nn.Module]

PLANS: Mapping[int, Plan] = {  # by the side of an image, which the pools halve to 1
    8: (8, 8, POOL, 16, 16, POOL, 16, POOL),
    16: (8, POOL, 16, 16, POOL, 32, POOL, 32, POOL),
}
# Group norm has 4 groups at every width, where by default it has more in wide layers; and batch renormalization is by
# default BatchNorm for longer than these networks are trained.
OPTIONS: Mapping[str, Mapping[str, Any]] = {"group": {"groups": 4}, "batch_renorm": {"plain": 20, "relaxed": 60}}


def vgg(norm: str = "batch", side: int = 16, in_channels: int = 3, seed: int = 0) -> nn.Module:
    """3×3 convolutions in stages, each with its norm and ReLU, and a linear layer.

    Args:
        norm: A row of `NORMS`.
        side: Of the images, 8 or 16.
        in_channels: Of the images.
        seed: Of the weights.
    """
    return _started(VGG(PLANS[side], "none", in_channels=in_channels), norm, seed)


def resnet(norm: str = "batch", width: int = 16, depth: int = 2, in_channels: int = 3, seed: int = 0) -> nn.Module:
    """A convolution with stride 2, then residual blocks of two convolutions each, the mean over places, a linear layer.

    Args:
        norm: A row of `NORMS`.
        width: Channels.
        depth: How many blocks.
        in_channels: Of the images.
        seed: Of the weights.
    """
    return _started(plain_resnet(width, depth, "none", in_channels), norm, seed)


def _started(model: nn.Module, norm: str, seed: int) -> nn.Module:
    """He-normal weights, those of the logits a tenth: the first loss is about that of a guess. Then the norm."""
    initialise_(model, seed, "kaiming_normal")
    with torch.no_grad():
        for head in model.modules():
            if isinstance(head, nn.Linear):
                head.weight.mul_(0.1)
    return normalised_(model, norm)


def normalised_(model: nn.Module, norm: str) -> nn.Module:
    """Put a norm on every convolution of a model, in place; what it computes apart from the norms stays.

    Example:
        >>> [type(module).__name__ for module in normalised_(nn.Sequential(nn.Conv2d(1, 4, 3)), "batch").modules()]
        ['Sequential', 'Sequential', 'Conv2d', 'BatchNorm2d']
    """
    options = _options(model, norm)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                normed = apply_norm(child, norm, **options.get(child, OPTIONS.get(norm, {})))
                if norm in FOLLOWED_BY:
                    normed.append(norm_after(child, FOLLOWED_BY[norm], **OPTIONS[FOLLOWED_BY[norm]]))
                setattr(parent, name, normed)
    return model


def _options(model: nn.Module, norm: str) -> dict[nn.Module, dict[str, Any]]:
    """The options of those convolutions whose place decides them: where they stand in a residual branch, for Fixup."""
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)] if norm == "fixup" else []
    branches = [[module for module in block.modules() if isinstance(module, nn.Conv2d)] for block in blocks]
    return {
        conv: {"branches": len(branches), "depth": len(convs), "last": conv is convs[-1]}
        for convs in branches
        for conv in convs
    }
