"""Where a function that starts at zero and falls first comes back to zero, found by few evaluations.

It serves what is asked along a line: how far the loss stays below its start, or the gradient points where it pointed.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from clinometer.readable.results import readable

LARGEST = 2.0**12  # where the search ends: infinite beyond, 0 below its inverse
_FINEST = 1e-9  # the finest precision
_STRAIGHT = 16.0  # how much farther to look where nothing tells where the function turns


@readable
@dataclass(frozen=True)
class Crossing:
    """A size at which a function is back at zero, and what is certain of it."""

    size: float  # between the two of the bracket
    bracket: tuple[float, float]  # the largest size at which it was seen below zero, the next at which it was not
    evaluations: int


def first_crossing(
    change: Callable[[float], float],
    slope: float | None = None,
    *,
    start: float = 1.0,
    precision: float = 0.1,
    rounding: float = 0.0,
) -> Crossing:
    """The end of the first stretch from 0 in which `change` is negative, as far as the search sees it.

    Each next size is where the secant of change(a)/a through two known sizes meets zero: on a parabola that is exact.
    A bracket is kept around it, and a size half a precision to either side ends the search. Sizes that all fall on one
    side are followed by the bracket's middle. What is certain: both ends of the bracket were evaluated; the function is
    negative at all smaller sizes that were; and of two neighbours among these, 0 included, the larger is at most twice
    the smaller, or the function is lower at it. A stretch above zero that lies wholly between them is not seen.

    Args:
        change: The function, with change(0) = 0; a value that is not finite counts as above zero.
        slope: Its derivative at 0, below 0, if known; the search is shorter with it.
        start: The size to begin at.
        precision: The relative width of the bracket that is left.
        rounding: By how much values may be wrong: what lies within says nothing, and larger sizes are tried.

    Returns:
        `Crossing`: its size is infinite where the function is still negative at 4096, 0 where it is not at 1/4096, and
        NaN where `rounding` hides the answer.

    Raises:
        ValueError: if `precision` does not lie in (0, 1), or `start` is not a positive number.

    Example:
        >>> found = first_crossing(lambda a: a * (a - 20), slope=-20)
        >>> f"{found.size:.2f} {found.evaluations}"
        '20.00 4'
    """
    check_search(start, precision)
    search = _Search(slope or None, rounding, (1 + max(precision, _FINEST)) * (1 - 1e-12))
    size: float | None = start
    while size is not None:
        size = min(max(size, 1 / LARGEST), LARGEST)
        search.changes[size] = change(size)
        size = search.next_size()
    return Crossing(search.crossing(), search.bracket(), len(search.changes))


def check_search(start: float, precision: float) -> None:
    """ValueError unless a search can start there, and reach this relative precision."""
    if not 0 < precision < 1:
        raise ValueError(f"`precision` must lie in (0, 1); found {precision}. Pass e.g. 0.1.")
    if not 0 < start < math.inf:
        raise ValueError(f"`start` must be a positive number; found {start}. Pass e.g. 1.0.")


@dataclass
class _Search:
    """The values found so far, and where to look next."""

    slope: float | None
    rounding: float
    narrow: float  # the ratio of a bracket that is narrow enough
    changes: dict[float, float] = field(default_factory=dict[float, float])  # by size, in the order of evaluation

    def bracket(self) -> tuple[float, float]:
        """The largest size below the first that is not negative, and that one; 0 and infinity where there is none.

        A value within the rounding counts as not negative above a size that is, and says nothing below all of these.
        """
        low, fallen = 0.0, False
        for size in sorted(self.changes):
            if self._rises(size) or (fallen and not self._falls(size)):
                return low, size
            low, fallen = size, fallen or self._falls(size)
        return low, math.inf

    def next_size(self) -> float | None:
        """The size to evaluate next; None where the search is over."""
        low, high = self.bracket()
        if low and not self._falls(low):
            return self._unseen(low, high)
        gap = self._gap(low)
        if gap or low >= LARGEST or high <= 1 / LARGEST or (low and high / low <= self.narrow):
            return gap
        return self._farther(low) if high == math.inf else self._between(low, high)

    def crossing(self) -> float:
        """The size at which the function is zero again, by the secant between the ends of the bracket."""
        low, high = self.bracket()
        if low == 0:
            return 0.0
        if not self._falls(low):
            return math.nan
        if high == math.inf:
            return math.inf
        return self._expected(low, high) if math.isfinite(self.changes[high]) else low

    def _falls(self, size: float) -> bool:
        return self.changes[size] < -self.rounding

    def _rises(self, size: float) -> bool:
        return not self.changes[size] <= self.rounding  # NaN does

    def _unseen(self, low: float, high: float) -> float | None:
        """A size where the fall may be seen, while none is: `low` is too small for it, or is where it ends."""
        visible = 8 * self.rounding / abs(self.slope) if self.slope else math.inf
        if high < math.inf or low >= visible:
            for size in (low / self.narrow, low / 2):
                if size >= 1 / LARGEST and size not in self.changes:
                    return size
        if high == math.inf:
            return None if low >= LARGEST else max(_STRAIGHT * low, visible if visible < math.inf else 0.0)
        return None if high / low <= self.narrow else math.sqrt(low * high)

    def _gap(self, low: float) -> float | None:
        """A size between two neighbours, up to `low`, that lie too far apart for what is promised."""
        falling = [size for size in sorted(self.changes) if size <= low and self._falls(size)]
        for before, after in itertools.pairwise(falling):
            if after > 2 * before and self.changes[after] >= self.changes[before]:
                return after / 2
        return None

    def _farther(self, low: float) -> float:
        """A size beyond `low`: just beyond the crossing if it is near, or where a parabola would be lowest."""
        expected = self._expected(low, math.inf)
        if expected == math.inf:
            return _STRAIGHT * low
        beyond = self._beyond(low, expected)
        return max(2 * low, beyond / 2) if beyond > 2 * low else beyond

    def _between(self, low: float, high: float) -> float:
        """A size inside the bracket, on the other side of the crossing than the last one, as far as it is known."""
        expected, repeated = self._expected(low, high), self._repeated()
        if low == 0:  # each further one in a row goes down by 4 more: the function may be level up there
            return self._before(high, expected) / 4.0 ** max(0, repeated - 3)
        falls = self._falls(next(reversed(self.changes)))
        size = self._beyond(low, expected) if falls else self._before(high, expected)
        return size if repeated <= 3 and low < size < high else math.sqrt(low * high)

    def _beyond(self, low: float, expected: float) -> float:
        """A size that is seen to rise if the crossing is where it is expected, and then ends the search soonest."""
        return low * self.narrow if expected <= low * self.narrow else expected * math.sqrt(self.narrow)

    def _before(self, high: float, expected: float) -> float:
        """A size that is seen to fall if the crossing is where it is expected, and then ends the search soonest."""
        return high / self.narrow if expected >= high / self.narrow else expected / math.sqrt(self.narrow)

    def _repeated(self) -> int:
        """How many of the last evaluations fell on one side."""
        falls = [self._falls(size) for size in reversed(self.changes)]
        return next((count for count, each in enumerate(falls) if each != falls[0]), len(falls))

    def _expected(self, low: float, high: float) -> float:
        """Where change(a)/a would cross zero between `low` and `high` if it were straight."""
        falling = [size for size in sorted(self.changes) if size <= low and self._falls(size)]
        known = [(0.0, self.slope)] if self.slope else []
        known += [(size, self.changes[size] / size) for size in falling]
        two = known[-2:] if high == math.inf else [*known[-1:], (high, self.changes[high] / high)]
        expected = _secant(*two[0], *two[1]) if len(two) == 2 else math.nan  # as where the function is not finite
        return expected if low < expected <= high else math.sqrt((low or high / 16) * high)


def _secant(a: float, at_a: float, b: float, at_b: float) -> float:
    return (a * at_b - b * at_a) / (at_b - at_a) if at_a != at_b else math.nan
