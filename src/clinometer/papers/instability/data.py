"""The data of the corpus: the bundled digits as images, and as sequences of pixels."""

import functools

import torch
from torch import Tensor

from clinometer.training.data.datasets import Dataset, digits

Pairs = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]  # inputs and targets, for training and test

BAD_PIXEL = (4, 4)  # row and column of the pixel that `input_scale` scales: among the most varied ones


def images(input_scale: float = 1.0, label_noise: float = 0.0) -> Pairs:
    """Normalised digits (n, 1, 8, 8) and their classes.

    Args:
        input_scale: Factor on one pixel of each image, a badly scaled feature if it is far from 1.
        label_noise: Share of the training images whose class is drawn anew, the same ones in every run: their loss
            stays, where that of clean digits falls to nothing within 300 steps.

    Example:
        >>> [tuple(inputs.shape) for inputs, _ in images()]
        [(1500, 1, 8, 8), (297, 1, 8, 8)]
    """
    data = _digits()
    train, test = (_prepared(data, images, input_scale) for images in (data.train_images, data.test_images))
    return (train, _noisy(data.train_labels, label_noise)), (test, data.test_labels)


def pixels() -> Pairs:
    """Digits as sequences: 31 tokens (n, 31), and the next one of each (n, 31).

    A token is the brightness, 0 to 16, of two neighbours in a row, averaged and rounded down; a digit has 32.

    Example:
        >>> (inputs, targets), _ = pixels()
        >>> bool((inputs[:, 1:] == targets[:, :-1]).all()), inputs.shape
        (True, torch.Size([1500, 31]))
    """
    data = _digits()
    train, test = (_tokens(images) for images in (data.train_images, data.test_images))
    return (train[:, :-1], train[:, 1:]), (test[:, :-1], test[:, 1:])


def _tokens(images: Tensor) -> Tensor:
    return images.long().unflatten(3, (4, 2)).sum(-1).flatten(1) // 2


@functools.cache
def _digits() -> Dataset:
    return digits()


def _prepared(data: Dataset, raw: Tensor, factor: float) -> Tensor:
    prepared = data.normalized(raw)
    row, column = BAD_PIXEL
    prepared[:, :, row, column] *= factor
    return prepared


def _noisy(labels: Tensor, share: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    chosen = torch.rand(labels.shape, generator=generator) < share
    return torch.where(chosen, torch.randint(10, labels.shape, generator=generator), labels)
