"""The numbers of the search that were fitted, to the tuning half of the benchmark `learning_rates`, and frozen.

`clinometer reproduce learning_rates` trains the sweeps; `python -m clinometer.papers.learning_rates.fit FOLDER`
prints by how much these are off there. Each is a median over the 6 to 9 configurations of a family that the search
answered. The interval is of all 31 of them together, and `suggested` is the fraction with the least mean log of the
final loss over the best of a sweep. No run of the held-out half was looked at for them.
"""

from dataclasses import dataclass
from typing import Any

import torch

from clinometer.probes.optimizer_kinds import KINDS

LOW, HIGH = 0.37, 3.7  # what was measured over what is predicted: 5% lay below, 5% above


@dataclass(frozen=True)
class Family:
    """What is known of the optimizers of one family: how their short trainings compare with those of 150 steps."""

    fallen: float  # of the loss at the start: a short training that ends below is stable
    ramp: float  # the rate to begin with, over that at which a rising rate blows the loss up
    largest: float  # the largest stable rate over the end of stability of short trainings
    suggested: float  # the rate to take over the largest stable one


FAMILIES = {
    "descent": Family(fallen=0.95, ramp=1.0, largest=1.4, suggested=0.21),
    "momentum": Family(fallen=0.6, ramp=0.45, largest=0.68, suggested=0.25),
    "adaptive": Family(fallen=0.95, ramp=0.7, largest=2.0, suggested=0.053),
    "other": Family(fallen=0.75, ramp=0.6, largest=0.8, suggested=0.075),
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
