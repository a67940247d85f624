"""The numbers of the search that were fitted, on the tuning half of the benchmark `learning_rates`.

`clinometer reproduce learning_rates` makes the data; no run of its held-out half was looked at for them.
"""

from dataclasses import dataclass
from typing import Any

import torch

from clinometer.probes.optimizer_kinds import KINDS


@dataclass(frozen=True)
class Family:
    """What is known of the optimizers of one family: how its estimates compare with runs of 150 steps."""

    fallen: float  # of the loss at the start: a short training that ends below is stable
    ramp: float  # the largest stable rate over the rate at which a rising rate blows the loss up, in the median
    largest: float  # the largest stable rate over the search's estimate, in the median
    low: float  # and 5% of the tuning runs lie below this times the estimate,
    high: float  # 5% above this
    suggested: float  # the rate that trains best over the largest stable one, in the median


FAMILIES = {
    "descent": Family(fallen=0.95, ramp=1.0, largest=1.0, low=0.3, high=3.0, suggested=0.4),
    "momentum": Family(fallen=0.6, ramp=0.45, largest=1.0, low=0.25, high=3.0, suggested=0.25),
    "adaptive": Family(fallen=0.95, ramp=0.7, largest=1.4, low=0.25, high=4.0, suggested=0.1),
    "other": Family(fallen=0.75, ramp=0.6, largest=1.0, low=0.2, high=3.0, suggested=0.04),
}


def family_of(optimizer: Any) -> str:
    """The family of an optimizer: `descent` and `momentum` for SGD, `adaptive` for Adam and its kin, or `other`.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> family_of(torch.optim.SGD([weight], lr=0.1)), family_of(torch.optim.AdamW([weight]))
        ('descent', 'adaptive')
    """
    if isinstance(optimizer, torch.optim.SGD):
        return "momentum" if any(group["momentum"] for group in optimizer.param_groups) else "descent"
    kind = KINDS.get(type(optimizer))
    return "adaptive" if kind is not None and kind.diagonal is not None else "other"
