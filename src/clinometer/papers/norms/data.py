"""The images of the study's larger scale: a part of CIFAR-10 at half its resolution; a step takes milliseconds."""

import functools

from torch import Tensor
from torch.nn import functional as F

from clinometer.training.data.datasets import Dataset, cifar10

TRAIN, TEST = 10_000, 1_000  # images, the first ones of each part
Pairs = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]  # inputs and targets, for training and test


@functools.cache  # a process that trains several seeds reads them once
def small_cifar10() -> Pairs:
    """The first 10,000 training and 1,000 test images of CIFAR-10, each pixel the mean of 2×2, and their classes."""
    data = cifar10()
    return (
        (_halved(data, data.train_images[:TRAIN]), data.train_labels[:TRAIN]),
        (_halved(data, data.test_images[:TEST]), data.test_labels[:TEST]),
    )


def _halved(data: Dataset, images: Tensor) -> Tensor:
    return F.avg_pool2d(data.normalized(images), 2)
