"""What an alert is: it reads rows, step by step, and says an alarm or nothing."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self

from clinometer.readable.text import name_of, short
from clinometer.recorder.alerts.alarm import Alarm
from clinometer.store import Row

Then = Callable[[Alarm], object]  # what is done at an alarm


class Alert(ABC):
    """Reads the rows of a run in the order of its steps. The same object runs live, and over stored rows.

    A quantity that is not among a step's rows was not measured at that step, and is no reading.
    """

    name: str
    then: Then | None

    def __repr__(self) -> str:
        return f"{name_of(type(self))}({short(self.name)}, reads {', '.join(self.quantities)})"

    @property
    @abstractmethod
    def quantities(self) -> tuple[str, ...]:
        """The quantities that it reads, as "step_norms/update_ratio"."""

    @property
    @abstractmethod
    def waits_for(self) -> int:
        """How many more readings it needs before it can judge one; 0 when it judges."""

    @abstractmethod
    def see(self, step: int, rows: Mapping[str, Row]) -> Alarm | None:
        """Read the rows of a step; the alarm, if there is one to say.

        Raises:
            ValueError: if a row does not hold the field, or holds text or a table there.
        """

    @abstractmethod
    def ranking(self) -> tuple[str, ...]:
        """The names of the blocks as of the last reading, the most suspicious first; () where there are none."""

    @abstractmethod
    def reset(self) -> None:
        """Forget the run that was read."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """What it remembers of the run, as JSON can hold it."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was called; anew where that alert had other settings."""

    def fresh(self) -> Self:
        """An alert with the same settings that has read nothing."""
        other = copy.copy(self)
        other.reset()
        return other
