"""Readings of what the paper leaves open about its deep linear network."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """What the paper leaves open about its deep linear network."""

    last_norm: bool = True  # a norm after the last layer too
    mean: bool = False  # the loss averages over samples and outputs, where the paper's formula sums

    def scale(self, samples: int, outputs: int) -> float:
        """What the sum of squared errors is multiplied by."""
        return 1 / (samples * outputs) if self.mean else 1.0


# `dln` is our reading of the paper; the other two are there to measure what it would change to decide otherwise.
READINGS: Mapping[str, Reading] = {
    "dln": Reading(),
    "dln_mean": Reading(mean=True),
    "dln_bare": Reading(last_norm=False),
}
