"""What the GANs learn to generate: the bundled digits between −1 and 1."""

from torch import Tensor

from clinometer.training.data.datasets import digits as bundled

_LARGEST = 16  # a pixel


def digits() -> tuple[Tensor, Tensor]:
    """The 1,500 training digits as (n, 1, 8, 8) between −1 and 1, which is where the generator's output lies; labels.

    Example:
        >>> images, _ = digits()
        >>> images.shape, float(images.min()), float(images.max())
        (torch.Size([1500, 1, 8, 8]), -1.0, 1.0)
    """
    data = bundled()
    return scaled(data.train_images), data.train_labels


def others() -> Tensor:
    """The 297 test digits: how far real images are from real images."""
    return scaled(bundled().test_images)


def scaled(images: Tensor) -> Tensor:
    """Bytes from 0 to 16 as floats from −1 to 1."""
    return images.float() * (2 / _LARGEST) - 1
