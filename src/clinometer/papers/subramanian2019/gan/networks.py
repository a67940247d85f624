"""A small DCGAN for 8×8 digits: a generator with BatchNorm, and a discriminator with the norm that is compared."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from clinometer.nn.norms.mean_spectral import project
from clinometer.nn.vgg import initialise_
from clinometer.papers.subramanian2019.networks import Stages, layer, normaliser

LATENT = 16  # entries of a generator's input


class Discriminator(Stages):
    """One number for each image: how much it looks like a real one, (N,)."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).squeeze(1)


def discriminator(
    norm: str = "batch",
    width: int = 16,
    n_power_iterations: int = 1,
    projection: bool = False,
    init: str = "kaiming_normal",
    seed: int = 0,
) -> nn.Module:
    """Three convolutions with leaky ReLUs, and a linear layer to one number.

    The linear layer has a spectral norm where the norm is spectral or mean spectral, as in the author's code.

    Args:
        norm: A row of `NORMS`, as for `normaliser`.
        width: Channels of the first convolution; the others have twice as many.
        n_power_iterations: As for `normaliser`.
        projection: As for `normaliser`.
        init: A row of `INITS`.
        seed: Of the weights.

    Example:
        >>> import torch
        >>> discriminator("mean_spectral")(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2])
    """
    put = normaliser(norm, n_power_iterations=n_power_iterations, projection=projection)
    convs = (
        nn.Conv2d(1, width, 3, padding=1),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        nn.Conv2d(2 * width, 2 * width, 3, padding=1),
    )
    stages = {
        f"layer{place}": layer(conv, put, 100 * seed + place, init, nn.LeakyReLU(0.1))
        for place, conv in enumerate(convs, 1)
    }
    head = nn.Linear(2 * width * 16, 1)
    initialise_(head, 100 * seed, init)
    if norm in ("spectral", "mean_spectral") and projection:
        project(head, n_power_iterations)
    elif norm in ("spectral", "mean_spectral"):
        parametrizations.spectral_norm(head, n_power_iterations=n_power_iterations)
    return Discriminator(stages, head)


def generator(width: int = 16, seed: int = 0) -> nn.Module:
    """From (N, 16, 1, 1) to images in (−1, 1), (N, 1, 8, 8), by transposed convolutions with BatchNorm and ReLU.

    Example:
        >>> import torch
        >>> generator()(torch.zeros(2, LATENT, 1, 1)).shape
        torch.Size([2, 1, 8, 8])
    """
    model = nn.Sequential(
        OrderedDict(
            layer1=nn.ConvTranspose2d(LATENT, 4 * width, 2),
            norm1=nn.BatchNorm2d(4 * width),
            relu1=nn.ReLU(),
            layer2=nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1),
            norm2=nn.BatchNorm2d(2 * width),
            relu2=nn.ReLU(),
            layer3=nn.ConvTranspose2d(2 * width, 1, 4, stride=2, padding=1),
            squash=nn.Tanh(),
        )
    )
    generated = torch.Generator().manual_seed(100 * seed + 99)
    for module in model:
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, generator=generated)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
