"""How the learning rate of a run changes: a linear warm-up, then constant or a cosine to zero."""

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmed_up(optimizer: Optimizer, steps: int, warm_up: int = 0, decay: str = "constant") -> LambdaLR:
    """Step t has the rate (t + 1) / (warm_up + 1) of the full one, until t reaches `warm_up`; then decay begins.

    Args:
        optimizer: Its groups keep the ratios of their rates.
        steps: Of the run.
        warm_up: Steps before the full rate.
        decay: `constant`, or `cosine`: half a wave to 0 at the run's end.

    Raises:
        ValueError: if there is no such decay.
    """
    if decay not in ("constant", "cosine"):
        raise ValueError(f"no decay {decay!r}; there are constant, cosine.")
    return LambdaLR(optimizer, lambda step: factor(step, steps, warm_up, decay))


def factor(step: int, steps: int, warm_up: int, decay: str) -> float:
    """The share of the full rate at a step, counted from 0.

    Example:
        >>> [factor(step, 9, 3, "cosine") for step in (0, 1, 3, 6)]
        [0.25, 0.5, 1.0, 0.5]
    """
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    done = (step - warm_up) / max(1, steps - warm_up)
    return 1.0 if decay == "constant" else 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
