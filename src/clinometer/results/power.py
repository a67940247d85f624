"""How many seeds a comparison needs, from a pilot: the power of Student's t and of the sign test at one planned look.

Power is the probability that a look at n new seeds decides the comparison as the pilot leans: that the whole interval
lies within the bounds, or outside. A pilot of few seeds says little about the effect, so a second number goes with the
*cautious* effect: the end nearer to the bound of the pilot's 60% interval of the effect in standard deviations. One
true effect in five is smaller still. (The 95% interval of an open comparison reaches its bound: no number of seeds
would do.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clinometer.results.sequential import TOTAL, spent

Floats = NDArray[np.float64]
Direction = Literal["holds", "fails"]

CAUTION = 0.2  # the probability that the effect is smaller than the cautious one
_NODES = 128  # of the quadrature over the samples' deviation


@dataclass(frozen=True)
class Room:
    """How far the mean lies inside either bound, in standard deviations: negative beyond it, infinite without it."""

    low: float
    high: float

    @property
    def direction(self) -> Direction:
        """How the comparison would be decided if the mean were known."""
        return "holds" if min(self.low, self.high) > 0 else "fails"

    @property
    def effect(self) -> float:
        """The distance to the nearer bound; to the one that is broken where one is."""
        return abs(min(self.low, self.high))

    def with_effect(self, effect: float) -> "Room":
        """The room where the mean lies at another distance from the same bound, on the same side of it."""
        more = effect - self.effect if self.direction == "holds" else self.effect - effect
        if self.low <= self.high:
            return Room(self.low + more, self.high - more)
        return Room(self.low - more, self.high + more)


@dataclass(frozen=True)
class Power:
    """The power of a comparison with 2, 3, ... seeds, each array of shape (most − 1,)."""

    direction: Direction
    likely: Floats  # if the pilot's effect is the true one
    cautious: Floats  # with the cautious effect


def pilot_power(
    samples: Sequence[float], low: float, high: float, method: str, most: int, share: float = 1.0
) -> Power | None:
    """The power of a comparison by what a pilot found; None where the pilot cannot tell.

    It cannot with one sample, nor by Student's t where a sample is not finite. Fewer than three distinct samples are
    judged by the sign test, as they would be on new seeds.

    Args:
        samples: One per seed of the pilot, on the scale on which they are compared.
        low: The bound above which the comparison holds; infinite where there is none.
        high: The bound below which it holds.
        method: `t` or `sign`.
        most: The largest number of seeds.
        share: The share of the error that the comparison may spend: 1/m for one of m parts of which any one fails.

    Example:
        >>> power = pilot_power([0.1, 1.9, 1.0, 0.4, 1.6], 0.0, math.inf, "t", 100)
        >>> power.direction, seeds_for(power.likely, 0.8), seeds_for(power.cautious, 0.8)
        ('holds', 9, 23)
    """
    values = np.asarray(samples, dtype=float)
    if len(values) < 2 or np.isnan(values).any():
        return None
    if method == "sign" or len(np.unique(values)) < min(3, len(values)):
        return _sign_pilot(values, low, high, most, share)
    if not np.isfinite(values).all():
        return None
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    room = Room((mean - low) / deviation, (high - mean) / deviation)
    careful = cautious_effect(room.effect, len(values))
    lowest = t_power(room.with_effect(careful), most, share) if careful > 0 else np.zeros(most - 1)
    return Power(room.direction, t_power(room, most, share), lowest)


def seeds_for(power: Floats, wanted: float) -> int | None:
    """The smallest number of seeds with the power wanted; None if there is none among those of the array."""
    enough = np.flatnonzero(power >= wanted)
    return int(enough[0]) + 2 if len(enough) else None


def t_power(room: Room, most: int, share: float = 1.0) -> Floats:
    """The power of Student's t with 2, 3, ... `most` seeds, shape (most − 1,).

    With a bound on one side it is the tail, beyond the limit of one look at n seeds, of the noncentral t distribution
    with n − 1 degrees of freedom and noncentrality √n · effect. With two bounds it is the probability that the interval
    fits between them, integrated over the samples' deviation.

    Args:
        room: Where the mean is.
        most: The largest number of seeds.
        share: As for `pilot_power`.
    Source: Phillips (1990), Power of the two one-sided tests procedure in bioequivalence.

    Example:
        >>> seeds_for(t_power(Room(1.0, math.inf), 100), 0.8)  # 10 with a fixed limit at 5%
        13
    """
    from scipy import stats

    seeds = np.arange(2, most + 1)
    reach = stats.t.isf(one_look_error(seeds, share) / 2, seeds - 1)[:, None] * _deviations(most)
    low, high = np.sqrt(seeds)[:, None] * room.low, np.sqrt(seeds)[:, None] * room.high
    if room.direction == "holds":
        decided = np.maximum(stats.norm.cdf(high - reach) - stats.norm.cdf(reach - low), 0)
    else:
        decided = stats.norm.cdf(-low - reach) + stats.norm.cdf(-high - reach)
    return decided @ (np.polynomial.legendre.leggauss(_NODES)[1] / 2)


def sign_power(shares: Sequence[float], most: int, share: float = 1.0) -> Floats:
    """The power of the exact sign test with 2, 3, ... `most` seeds: binomial; with two bounds, a lower limit of it.

    Args:
        shares: The probability that a sample lies on the right side of a bound, for each bound.
        most: The largest number of seeds.
        share: As for `pilot_power`.

    Example:
        >>> seeds_for(sign_power([0.95], 100), 0.8)
        10
    """
    from scipy import stats

    seeds = np.arange(2, most + 1)
    needed = seeds + 1 - stats.binom.ppf(one_look_error(seeds, share) / 2, seeds, 0.5)
    missed = [stats.binom.cdf(needed - 1, seeds, each) for each in shares]
    return np.maximum(1 - sum(missed, start=np.zeros(most - 1)), 0.0)


def cautious_effect(effect: float, n: int) -> float:
    """The lower limit, at 80%, of an effect in standard deviations that n samples gave; 0 where it is not above 0.

    It is the effect at which a t as large as the samples' has a probability of 20%: the "safeguard" effect.

    Source: Perugini, Gallucci and Costantini (2014), Safeguard power as a protection against imprecise power estimates.

    Example:
        >>> round(cautious_effect(1.0, 3), 2), round(cautious_effect(1.0, 20), 2)
        (0.26, 0.75)
    """
    from scipy import optimize, stats

    t = effect * math.sqrt(n)
    if stats.t.sf(t, n - 1) >= CAUTION:
        return 0.0

    def beyond(noncentrality: float) -> float:
        return float(stats.nct.sf(t, n - 1, noncentrality)) - CAUTION

    return float(optimize.root_scalar(beyond, bracket=(0.0, t)).root) / math.sqrt(n)


def one_look_error(seeds: NDArray[np.int64], share: float = 1.0) -> Floats:
    """The two-sided error of one look at so many seeds: what `sequential_t.t_limit` spends there, or a share of it."""
    return TOTAL * share * np.array([spent(int(n)) for n in seeds])


def _sign_pilot(values: Floats, low: float, high: float, most: int, share: float) -> Power:
    """By the shares of samples beyond the bounds: (k + ½)/(n + 1), and their lower limits at 80% (Clopper–Pearson)."""
    from scipy import stats

    inside = [int(np.sum(side)) for side, end in ((values > low, low), (values < high, high)) if math.isfinite(end)]
    outside = max(int(np.sum(values < low)), int(np.sum(values > high)))
    direction: Direction = "holds" if 2 * min(inside, default=len(values)) > len(values) else "fails"
    counts = inside if direction == "holds" else [outside]
    likely = [(count + 0.5) / (len(values) + 1) for count in counts]
    cautious = [float(stats.beta.ppf(CAUTION, count, len(values) - count + 1)) if count else 0.0 for count in counts]
    return Power(direction, sign_power(likely, most, share), sign_power(cautious, most, share))


@lru_cache(maxsize=4)
def _deviations(most: int) -> Floats:
    """Nodes of the sample deviation of standard normal samples, shape (most − 1, nodes): its quantiles."""
    from scipy import stats

    quantiles = (np.polynomial.legendre.leggauss(_NODES)[0] + 1) / 2
    freedom = np.arange(1, most)[:, None]
    return np.sqrt(stats.chi2.ppf(quantiles, freedom) / freedom)
