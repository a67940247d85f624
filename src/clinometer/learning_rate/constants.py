"""The numbers of the search that were fitted, to the tuning half of the benchmark `learning_rates`, and frozen.

`clinometer reproduce learning_rates` trains the sweeps; `python -m clinometer.papers.learning_rates.fit FOLDER`
prints by how much these are off there; it does not find them. `ramp` and NORMALIZED are least squares fits in logs over
all configurations, rounded; `suggested` was set by hand to about the least mean log of the final loss over the best of
a sweep, and LONGER by hand as well. No run of the held-out half was looked at for them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from clinometer.probes.optimizer_kinds import KINDS

NORMALIZED = 6.6  # times as large is the largest stable rate, over the ramp's, where a network has norms
LONGER = 0.8  # of the largest rate at which a trial is stable is a longer run


@dataclass(frozen=True)
class Family:
    """What is known of the optimizers of one family: how its estimates compare with runs of 150 steps."""

    ramp: float  # the largest stable rate over that at which a rising rate blows the loss up, without norms
    suggested: float  # what trains best is so many times
    power: float = 1.0  # the largest stable rate to this power: where steps have a length of their own, less than 1


FAMILIES = {
    "descent": Family(ramp=0.31, suggested=0.18),
    "momentum": Family(ramp=0.15, suggested=0.15),
    "adaptive": Family(ramp=0.31, suggested=0.011, power=0.5),
    "other": Family(ramp=0.165, suggested=0.027, power=0.5),
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


def has_norms(model: nn.Module) -> bool:
    """Whether a model has a normalization layer, told by the name of a module's class.

    Example:
        >>> has_norms(nn.Sequential(nn.Linear(1, 1), nn.LayerNorm(1))), has_norms(nn.Linear(1, 1))
        (True, False)
    """
    return any("norm" in type(module).__name__.lower() for module in model.modules())
