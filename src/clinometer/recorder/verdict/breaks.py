"""When a run broke: a function of its losses alone, fixed before any alarm was tuned.

With L₀ the first loss and B the smallest one before step t, what the run has learned is L₀ − B. Step t is lost if

    the loss is not finite, or
    L > (L₀ + B) / 2      where B ≤ 3/4 L₀: more than half of what was learned is gone;
    L > 5/4 L₀            where B > 3/4 L₀: little was learned yet, and the loss is above where it began.

The run broke at the first step of a stay of at least ten lost steps in a row, or of a stay that ends in a loss that is
not finite, where training ends. A spike of less than ten steps is no break, and neither is a loss that never fell.

Why these numbers: the losses of single batches of 32 to 128 samples scatter by a few percent of L₀ about their mean, so
half of a quarter of L₀ is far outside, and ten such batches in a row do not come by chance. Higher than a quarter, and
a network that stops early in learning would not count; catapults at a high rate, from which runs come back by
themselves, last a few steps, and longer ones do lose half of what was learned. All is relative to L₀: the unit of the
loss plays no part. The rule looks ten steps ahead and no further, so what a run does later moves nothing.
"""

import math
from collections.abc import Sequence

STAY = 10  # lost steps in a row
LOST = 0.5  # of what was learned
LEARNED = 0.25  # of the first loss: less is little
ABOVE = 1.25  # times the first loss, where little was learned


def broke_at(losses: Sequence[float]) -> int | None:
    """The step at which a run broke; None if it did not.

    Args:
        losses: The training loss of each step from the first on, as the loop computed it.

    Raises:
        ValueError: if there are none.

    Example:
        >>> falling = [2.0, 1.0, 0.5, 0.25]
        >>> broke_at(falling + [1.5] * 9), broke_at(falling + [1.5] * 10), broke_at([*falling, 1.5, float("nan")])
        (None, 4, 4)
    """
    if not losses:
        raise ValueError("no losses: expected one for each step of a run.")
    began = None  # the first step of the present stay
    best = losses[0]
    for step, loss in enumerate(losses):
        if not math.isfinite(loss):
            return step if began is None else began
        if loss <= _bound(losses[0], best):
            began = None
            best = min(best, loss)
            continue
        began = step if began is None else began
        if step - began + 1 == STAY:
            return began
    return None


def _bound(first: float, best: float) -> float:
    """The largest loss that is not lost."""
    learned = first - best
    return best + LOST * learned if learned >= LEARNED * first else ABOVE * first
