"""The bundled digits, upright or in all four rotations by right angles."""

import torch
from torch import Tensor

from clinometer.papers.bronstein2021.actions import rotated
from clinometer.training.data.datasets import digits as bundled

Pair = tuple[Tensor, Tensor]


def digits(turns: int = 4) -> tuple[Pair, Pair]:
    """Training and test digits (n, 1, 8, 8) and their labels; images in multiples of 1/8 from −1 to 1.

    Each image is there in `turns` rotations, one after the other, and its copies keep the label: a 6 that stands on its
    head has the label 6. Multiples of 1/8 make the distances between pixels exact, in which graphs are built.

    Args:
        turns: 1 for upright digits, 4 for all rotations by right angles.

    Raises:
        ValueError: if `turns` is neither 1 nor 4: only these make the images closed under rotations, or leave them.

    Example:
        >>> (train, labels), _ = digits()
        >>> train.shape, bool((train[1] == train[0].rot90(1, (1, 2))).all()), bool(labels[0] == labels[3])
        (torch.Size([6000, 1, 8, 8]), True, True)
    """
    if turns not in (1, 4):
        raise ValueError(f"turns must be 1 (upright) or 4 (all rotations by right angles); found {turns}.")
    data = bundled()
    return (
        _turned(data.train_images, data.train_labels, turns),
        _turned(data.test_images, data.test_labels, turns),
    )


def _turned(images: Tensor, labels: Tensor, turns: int) -> Pair:
    scaled = images.float() / 8 - 1  # pixels are whole numbers from 0 to 16
    copies = torch.stack([rotated(scaled, quarters) for quarters in range(turns)], 1)
    return copies.flatten(0, 1), labels.repeat_interleave(turns)
