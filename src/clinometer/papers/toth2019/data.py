"""The bundled digits as images in [0, 1], which are the targets, too."""

from torch import Tensor

from clinometer.training.data.datasets import digits

Pair = tuple[Tensor, Tensor]


def images() -> tuple[Pair, Pair]:
    """1,500 digits to train on and 297 held out, each as (images, images), shape (n, 1, 8, 8).

    Example:
        >>> (train, _), _ = images()
        >>> train.shape, float(train.max())
        (torch.Size([1500, 1, 8, 8]), 1.0)
    """
    found = digits()
    train, held_out = (each.float() / 16 for each in (found.train_images, found.test_images))
    return (train, train), (held_out, held_out)
