"""How an error is spent over looks: whoever looks at some seeds, makes more, and looks again, pays for each look.

A fixed 95% interval misses more often than in 5% the more often one looks. Here every look spends a part of an error
that is given once, so that all looks together miss in at most 5% (Lan and DeMets, 1983). No plan is needed: the looks
may come at any numbers of seeds. `docs/statistics.md` has the price and the measured rates.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05  # what the intervals of all looks together miss at most
TOTAL = 0.028  # what looks that are planned miss; the rest is for whoever chooses the next look by the numbers seen
STATISTIC_VERSION = "t and sign tests, spending 0.028 (1 - 1.5/n), version 1"  # of what turns samples into verdicts

TOTALS = TOTAL * 10 ** (np.arange(-100, 66) / 50)  # from 0.00028 to 0.56, those at which a p-value is sought
AT_TOTAL = 100  # where TOTAL stands in them


def spent(n: int) -> float:
    """The share of the error that looks at up to `n` seeds may spend: 1 − 1.5/n, and none below two seeds.

    It leaves something for any number of seeds, so no largest number need be fixed before. Half is spent at 3 seeds,
    seven tenths at 5, and 92.5% at 20.

    Example:
        >>> spent(1), spent(3), spent(30)
        (0.0, 0.5, 0.95)
    """
    return 1 - 1.5 / n if n >= 2 else 0.0


def increment(looks: Sequence[int]) -> float:
    """The share that the last of some looks spends.

    Raises:
        ValueError: if the looks' numbers of seeds do not increase, from 2 on.

    Example:
        >>> increment([3]), round(increment([3, 5]), 2)
        (0.5, 0.2)
    """
    if not looks or looks[0] < 2 or any(later <= earlier for earlier, later in pairwise(looks)):
        raise ValueError(f"expected looks at increasing numbers of seeds, from 2 on; found {list(looks)}.")
    return spent(looks[-1]) - (spent(looks[-2]) if len(looks) > 1 else 0.0)


def nested(limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Limits for each of `TOTALS`, made to decrease with the error; that of `TOTAL` stays as it is."""
    smaller = np.maximum.accumulate(limits[AT_TOTAL::-1])[::-1]
    return np.concatenate([smaller[:-1], np.minimum.accumulate(limits[AT_TOTAL:])])


def p_value(alone: float, crossed: NDArray[np.bool_]) -> float:
    """The smallest error at which a limit is reached; at most `LEVEL` where the one of `TOTAL` is.

    Args:
        alone: An error at which it is reached for certain, whatever other looks there were.
        crossed: Whether it is reached at each of `TOTALS`.

    Example:
        >>> p_value(0.5, TOTALS >= TOTAL)
        0.05
    """
    together = float(TOTALS[np.argmax(crossed)]) if crossed.any() else 1.0
    return min(1.0, min(alone, together) / TOTAL * LEVEL)
