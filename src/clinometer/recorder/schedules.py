"""Schedules: functions of a step's index that return whether to measure the step."""

import math
import operator
from collections.abc import Callable

Schedule = Callable[[int], bool]
_SHOWN = 6  # steps of `at`


class NamedSchedule:
    """A schedule that says how it was made."""

    def __init__(self, text: str, due: Schedule) -> None:
        self._text, self._due = text, due

    def __call__(self, step: int) -> bool:
        return self._due(step)

    def __repr__(self) -> str:
        return self._text


def every(n: int) -> Schedule:
    """Steps 0, n, 2n, …

    Example:
        >>> [step for step in range(10) if every(4)(step)]
        [0, 4, 8]
    """
    if operator.index(n) < 1:
        raise ValueError(f"every(n) needs n of at least 1; found {n}.")
    return NamedSchedule(f"every({n})", lambda step: step % n == 0)


def log_spaced(per_decade: int = 10) -> Schedule:
    """Step 0, then about `per_decade` steps in each factor of ten: dense early, where runs change most.

    Example:
        >>> [step for step in range(101) if log_spaced(3)(step)]
        [0, 1, 2, 5, 10, 22, 46, 100]
    """
    if operator.index(per_decade) < 1:
        raise ValueError(f"log_spaced(per_decade) needs at least 1; found {per_decade}.")

    def due(step: int) -> bool:
        if step < 1:
            return step == 0
        nearest = per_decade * math.log10(step)
        return any(round(10 ** (k / per_decade)) == step for k in (math.floor(nearest), math.ceil(nearest)))

    return NamedSchedule(f"log_spaced({per_decade})", due)


def at(*steps: int) -> Schedule:
    """These steps and no others.

    Example:
        >>> [step for step in range(10) if at(1, 7)(step)]
        [1, 7]
    """
    chosen = frozenset(map(operator.index, steps))
    told = [*map(str, steps[:_SHOWN]), *([f"… {len(steps)} in all"] if len(steps) > _SHOWN else [])]
    return NamedSchedule(f"at({', '.join(told)})", lambda step: step in chosen)
