"""Whether an axis is linear or logarithmic, where nothing else decides it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from clinometer.studies.figure import Series, Values

_WIDE = 20.0  # a ratio of the largest number to the smallest from which a logarithmic axis shows more


def axis_scale(*values: Values) -> Literal["linear", "log"]:
    """Logarithmic if no number is negative and the positive ones span more than a factor of 20; NaN and ∞ are left out.

    Example:
        >>> [axis_scale(np.array(each)) for each in ([1.0, 30.0, np.inf], [0.0, 1.0, 30.0], [1.0, 15.0], [-1.0, 30.0])]
        ['log', 'log', 'linear', 'linear']
    """
    finite = np.concatenate([each[np.isfinite(each)] for each in values] or [np.zeros(0)])
    positive = finite[finite > 0]
    wide = len(positive) and positive.max() > _WIDE * positive.min()
    return "log" if wide and finite.min() >= 0 else "linear"


def scale_of_lines(lines: Sequence[Series]) -> Literal["linear", "log"]:
    """The scale of an axis along which lines and their bands lie."""
    return axis_scale(*(each for line in lines for each in (line.y, line.low, line.high) if each is not None))
