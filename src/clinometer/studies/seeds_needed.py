"""How many seeds a claim needs to be decided, from what a pilot found for each of its parts."""

import math
from dataclasses import dataclass

import numpy as np

from clinometer.results.power import Direction, Floats, Power, pilot_power, seeds_for
from clinometer.studies.claims import Evidence
from clinometer.studies.comparison import Comparison

MOST = 400  # seeds; a claim that needs more is hopeless as posed


@dataclass(frozen=True)
class SeedsNeeded:
    """How many new seeds, looked at once, decide a claim with the power wanted; None where that takes too many."""

    likely: int | None  # if the pilot's effects are the true ones
    cautious: int | None  # with the cautious effects of `results/power.py`
    direction: Direction  # as which the claim would be decided
    part: Comparison  # the one that needs the most seeds, or whose failing needs the fewest


def seeds_needed(evidence: Evidence, power: float = 0.8, most: int = MOST) -> SeedsNeeded | None:
    """The seeds that a claim needs; None if the pilot cannot tell of one of its parts.

    A claim whose parts all lean its way holds where all hold: their chances to miss are added, since nobody knows how
    far parts that share their seeds miss together. So several parts may need more seeds than the one that needs the
    most. A claim of m parts of which some lean the other way fails where one of these is decided at 1/m of the error.

    Args:
        evidence: What the claim's function found in the pilot's runs.
        power: The probability that the claim is decided.
        most: The largest number of seeds to consider.

    Example:
        >>> from clinometer.studies.comparison import above
        >>> one, other = above("one", [1.0, 2.0, 3.0]), above("other", [0.5, 1.5, 3.0])
        >>> [seeds_needed(Evidence(parts)).likely for parts in ((one,), (other,), (one, other))]
        [6, 9, 9]
    """
    share = 1 / len(evidence.parts)
    found = [(part, _power(part, most, 1.0)) for part in evidence.parts]
    failing = [part for part, each in found if each and each.direction == "fails"]
    if failing:
        judged = [(part, each) for part in failing if (each := _power(part, most, share))]
        part, best = max(judged, key=lambda pair: _sooner(pair[1].likely, power))
        return SeedsNeeded(seeds_for(best.likely, power), seeds_for(best.cautious, power), "fails", part)
    holding = [(part, each) for part, each in found if each]
    if len(holding) < len(found):
        return None
    part = min(holding, key=lambda pair: _sooner(pair[1].likely, power))[0]
    likely = seeds_for(_together([each.likely for _, each in holding]), power)
    cautious = seeds_for(_together([each.cautious for _, each in holding]), power)
    return SeedsNeeded(likely, cautious, "holds", part)


def _power(part: Comparison, most: int, share: float) -> Power | None:
    return pilot_power(part.samples, part.low, part.high, part.method, most, share) if part.samples else None


def _together(powers: list[Floats]) -> Floats:
    """What the power of all parts together is at least."""
    return np.maximum(1 - sum((1 - each for each in powers), start=np.zeros_like(powers[0])), 0)


def _sooner(power: Floats, wanted: float) -> tuple[float, float]:
    """Orders parts by the seeds they need, fewest last; beyond the largest number by the power reached there."""
    seeds = seeds_for(power, wanted)
    return (-math.inf if seeds is None else -seeds, float(power[-1]))
