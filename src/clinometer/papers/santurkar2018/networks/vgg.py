"""The paper's convolutional network: a VGG with Glorot weights."""

from torch import nn

from clinometer.nn.vgg import VGG, initialise_
from clinometer.nn.vgg_plans import PLANS


def vgg(
    plan: str = "vgg16",
    norm: str = "batch",
    width: float = 1.0,
    in_channels: int = 3,
    init: str = "glorot_uniform",
    seed: int = 0,
) -> nn.Module:
    """A VGG whose initial weights depend on the seed and the shapes alone.

    Args:
        plan: A row of `PLANS`.
        norm: A row of `NORMS`.
        width: Factor on every number of channels.
        in_channels: Channels of the images.
        init: A row of `INITS`; the paper's by default.
        seed: Of the weights.
    Source: Santurkar et al. (2018), Appendix A.
    """
    return initialise_(VGG(PLANS[plan], norm, width, in_channels), seed, init)
