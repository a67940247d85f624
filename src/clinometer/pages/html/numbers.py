"""Numbers for JSON: enough digits and no more, and signs for what JSON has no numbers for."""

import math
from typing import Any

import numpy as np

from clinometer.studies.figure import Values

DIGITS = 4


def numbers(values: Values, digits: int = DIGITS) -> list[Any]:
    """Numbers for JSON: NaN as null, infinities as "+" and "-".

    Example:
        >>> numbers(np.array([1.23456, 2.0, np.nan, np.inf]))
        [1.235, 2, None, '+']
    """
    return [number(float(value), digits) for value in np.asarray(values, dtype=float)]


def number(value: float, digits: int = DIGITS) -> Any:
    """One of them."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "+" if value > 0 else "-"
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
