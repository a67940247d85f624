"""A sustained change of a quantity against its own past: the rule of most alerts."""

from dataclasses import dataclass

import numpy as np

from clinometer.recorder.alerts.reading import Numbers
from clinometer.recorder.alerts.rule import Direction, Rule, Scores

_FAR = 1e9  # standard deviations: infinitely many, with a mean
_QUARTILES = 1.349  # the distance between the quartiles of a Gaussian, in standard deviations


@dataclass(frozen=True)
class Change(Rule):
    """How far log(quantity) has left its past, in robust standard deviations, for several readings in a row.

        z = (x − median) / max(s, floor),   s = (upper quartile − lower quartile) / 1.349,   x = log(quantity)

    The score is the smallest z (for `falls`, of −z) of the last `sustained` readings: all of them must exceed. Median
    and quartiles are those of `window` readings that ended `lag` readings before the newest one, so that what is judged
    is not part of what it is judged by. A steady trend of x widens the quartiles as much as it moves x: it scores
    below 2 by the defaults, however steep. A quantity of 0 is usual where it was 0 before, and else infinitely far.

    Args:
        direction: Whether a rise or a fall is suspicious.
        sustained: How many readings in a row must exceed.
        window: How many readings say what is usual.
        lag: How many readings lie between the end of the window and the newest reading, itself included.
        relative: Judge each block's share of the median over all blocks, so that what moves all alike is no change.
        floor: The least standard deviation of x. A change by less than exp(threshold · floor) is none.
        least: With how many readings of the window it begins to judge; with all of them by default.
    """

    direction: Direction = "rises"
    sustained: int = 4
    window: int = 40
    lag: int = 10
    relative: bool = False
    floor: float = 0.1
    least: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.sustained <= self.lag:
            raise ValueError(
                f"sustained must lie between 1 and the lag of {self.lag} readings, or the readings that are judged "
                f"would be judged by themselves; found {self.sustained}."
            )
        if self.window < 8:
            raise ValueError(f"a window needs 8 readings or more to say what is usual; found {self.window}.")
        if self.least is not None and not 8 <= self.least <= self.window:
            raise ValueError(f"least must lie between 8 and the window of {self.window} readings; found {self.least}.")
        if not self.floor > 0:
            raise ValueError(f"floor must be above 0; found {self.floor}.")

    @property
    def is_rise(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.direction == "rises"

    @property
    def needs(self) -> int:
        return (self.least or self.window) + self.lag

    @property
    def keeps(self) -> int:
        return self.window + self.lag

    def prepared(self, values: Numbers) -> Numbers:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(values)  # of 0 is −∞; of what is negative NaN, as no log says what it is
            if self.relative:
                known = logs[np.isfinite(logs)]
                logs = logs - (np.median(known) if len(known) else np.nan)
        return logs

    def scores(self, past: Numbers) -> Scores:
        median, spread = _usual(past[: len(past) - self.lag])
        with np.errstate(invalid="ignore"):
            z = (past[-self.sustained :] - median) / np.fmax(spread, self.floor)
        z = np.nan_to_num(z if self.is_rise else -z, nan=-_FAR, posinf=_FAR, neginf=-_FAR)
        return Scores(z.min(axis=0), z.mean(axis=0), np.exp(median))


def _usual(past: Numbers) -> tuple[Numbers, Numbers]:
    """Median and robust standard deviation of each column, (n,); NaN where less than half of it are numbers.

    Quantiles are those of the nearest rank: between −∞ and a number nothing can be interpolated.
    """
    ordered = np.sort(past, axis=0)  # NaN comes last
    known = len(past) - np.isnan(ordered).sum(axis=0)
    columns = np.arange(past.shape[1])
    lower, median, upper = (
        ordered[np.rint(share * np.maximum(known - 1, 0)).astype(int), columns] for share in (0.25, 0.5, 0.75)
    )
    with np.errstate(invalid="ignore"):
        spread = (upper - lower) / _QUARTILES
    return np.where(2 * known >= len(past), median, np.nan), spread
