"""What a rule is: a function of a quantity's last readings that says how suspicious the newest ones are."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from clinometer.recorder.alerts.reading import Numbers

Direction = Literal["rises", "falls"]


@dataclass(frozen=True)
class Scores:
    """How suspicious each block is, in units of the rule; −∞ where it is not at all, or cannot be judged."""

    excess: Numbers  # (n,) what an alarm's threshold is compared with: all of the newest readings reach it
    mean: Numbers  # (n,) of the newest readings: tells blocks apart that have not exceeded, or not for long enough
    usual: Numbers  # (n,) what is usual for each, in the units of the quantity


class Rule(ABC):
    """Scores a quantity's newest readings by its last ones, each block apart. Has no state of its own."""

    sustained: int  # how many of the newest readings are judged together
    is_rise: bool  # whether high values are the suspicious ones

    @property
    @abstractmethod
    def needs(self) -> int:
        """How many readings there must be before the newest ones can be judged."""

    @property
    @abstractmethod
    def keeps(self) -> int:
        """How many of the last readings it looks at."""

    @abstractmethod
    def prepared(self, values: Numbers) -> Numbers:
        """What is kept of one reading, (n,) from (n,)."""

    @abstractmethod
    def scores(self, past: Numbers) -> Scores:
        """The scores of the newest of these readings, (readings, n), oldest first."""
