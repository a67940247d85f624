"""The learning rate: multiplied by 0.95 every 250 steps, a little at each step."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR

EVERY = 250  # steps


def decayed(optimizer: Optimizer, decay: float = 0.95) -> ExponentialLR:
    """η_t = η · decay^(t / 250)."""
    return ExponentialLR(optimizer, decay ** (1 / EVERY))
