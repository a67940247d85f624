"""The images that the networks see: some to train on, and others to tune by or to test on."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from clinometer.papers.haruki2019.sizes import SIDES, TRAINED, TUNED_ON
from clinometer.training.data.datasets import DATASETS
from clinometer.training.errors import check_choice

Part = Literal["tuning", "test"]
Pair = tuple[Tensor, Tensor]


def images(dataset: str, part: Part = "test") -> tuple[Pair, Pair]:
    """Images and labels to train on, and others, normalised.

    Args:
        dataset: A bundled data set.
        part: The others are the test images, or training images that are kept apart to tune rates by.

    Example:
        >>> (inputs, _), (others, _) = images("digits", "tuning")
        >>> inputs.shape, others.shape
        (torch.Size([1200, 1, 8, 8]), torch.Size([300, 1, 8, 8]))
    """
    data = DATASETS[check_choice("data set", dataset, TRAINED)]()
    count, more = TRAINED[dataset], TUNED_ON[dataset]
    others = (
        (data.test_images, data.test_labels)
        if part == "test"
        else (data.train_images[count : count + more], data.train_labels[count : count + more])
    )
    pairs = (data.train_images[:count], data.train_labels[:count]), others
    train, rest = ((_shrunk(data.normalized(shown), SIDES[dataset]), labels) for shown, labels in pairs)
    return train, rest


def _shrunk(shown: Tensor, side: int) -> Tensor:
    """Means over squares of pixels."""
    by = shown.shape[-1] // side
    return shown if by == 1 else torch.cat([F.avg_pool2d(part, by) for part in shown.split(5_000)])
