"""Resampling of rows that were measured one after the other, where neighbours are alike."""

import math
from typing import Any

import numpy as np


def resampled_rows(rows: int, seed: int = 0, resamples: int = 1000) -> Any:
    """The numbers of the rows in each resample of a circular block bootstrap, in blocks of ∛rows.

    Args:
        rows: How many rows there are.
        seed: Of the draws.
        resamples: How many to draw.

    Returns:
        Integers of shape (resamples, rows).
    Source: Künsch (1989), Annals of Statistics 17; Politis & Romano (1992) for the circle.

    Example:
        >>> resampled_rows(27, resamples=1)[0, :9]
        array([22, 23, 24, 17, 18, 19, 13, 14, 15])
    """
    length = max(1, round(rows ** (1 / 3)))
    starts = np.random.default_rng(seed).integers(rows, size=(resamples, math.ceil(rows / length), 1))
    return ((starts + np.arange(length)) % rows).reshape(resamples, -1)[:, :rows]
