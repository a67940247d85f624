"""A schedule that learns the cost of measuring and keeps it within a share of the run's time."""

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

import torch

_SLACK = 1.15
_LEARNED = ("trained", "spent", "steps", "measured", "_next", "_typical")
_WARM_UP = 5  # the first steps allocate, compile and fill caches, and take longer than the others


class Budget:
    """Measures as often as a share of the run's time allows; see `within_budget`.

    Training time and measuring time are counted apart. A step is measured once the share of the training time, plus
    15%, covers the measuring time so far and the next measurement. A run with time for three measurements ends within
    15% of its budget, above or below; a run without time for one has none.

    Args:
        fraction: Time for measuring over time for everything else.
    """

    def __init__(self, fraction: float) -> None:
        if not 0 < fraction <= 1:
            raise ValueError(f"within_budget(fraction) needs a share in (0, 1]; found {fraction}. 0.05 is 5%.")
        self.fraction = fraction
        self.trained = 0.0  # seconds, of steps as they typically are
        self.spent = 0.0  # seconds
        self.steps = 0
        self.measured = 0
        self._units = 1.0
        self._broadcast: Callable[[int], int] = int
        self._next: int | None = None
        self._began: float | None = None
        self._recent: list[float] = []  # seconds of the steps that are not counted yet

    def __call__(self, step: int) -> bool:
        """Whether to measure this step; asked once per step, at its start."""
        now = time.perf_counter()
        if self._began is not None:
            self._recent.append(now - self._began)
        self._began = now
        self.steps += 1
        if self._next is None:
            self._next = step + _WARM_UP
        return step >= self._next and self._due(step)

    def declare(self, units: float, broadcast: Callable[[int], int]) -> None:
        """Set the probes' declared cost, in forward-backward passes, and the function that gives all ranks one step."""
        self._units, self._broadcast = units, broadcast

    def paid(self, seconds: float) -> None:
        """Count the seconds of a part of a measurement, and subtract them from the step in which it took place."""
        self.spent += seconds
        if self._began is not None:
            self._began += seconds

    def state_dict(self) -> dict[str, Any]:
        """What it has learned, as numbers, for the checkpoint of a run."""
        self._count_steps()
        return {name: getattr(self, name) for name in _LEARNED}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what another had learned; the time between the two is not counted."""
        for name in _LEARNED:
            setattr(self, name, state[name])
        self._began = None

    @property
    def overhead(self) -> float:
        """Time for measuring over time for everything else, so far."""
        self._count_steps()
        return self.spent / self.trained if self.trained else 0.0

    def __repr__(self) -> str:
        return f"within_budget({self.fraction:.3g})"

    def __str__(self) -> str:
        return (
            f"within {self.fraction:.3g} of the run's time: measured {self.measured} of {self.steps} steps, skipped "
            f"{self.steps - self.measured}, overhead {self.overhead:.3f}"
        )

    def _due(self, step: int) -> bool:
        typical = self._count_steps()
        # Before the first measurement a pass is taken to be a step long, of which it is most.
        cost = self.spent / self.measured if self.measured else self._units * typical
        wait = (self.spent + cost) / (_SLACK * self.fraction) - self.trained
        self._next = self._broadcast(step + max(0, math.ceil(wait / typical)))
        if self._next > step:
            return False
        self._next = step + 1
        self.measured += 1
        return True

    def _count_steps(self) -> float:
        """Count the recent steps, pauses (validation, a checkpoint) as three typical steps at most; a typical step."""
        if not self._recent:
            return self._typical
        self._typical = max(statistics.median(self._recent), 1e-9)
        self.trained += sum(min(seconds, 3 * self._typical) for seconds in self._recent)
        self._recent.clear()
        return self._typical

    _typical = 1e-9


@contextlib.contextmanager
def timed(schedules: Iterable[object]) -> Generator[None]:
    """Count the time inside the block for the budgets among some schedules, without the GPU's work queued before."""
    budgets = [schedule for schedule in schedules if isinstance(schedule, Budget)]
    if budgets and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    began = time.perf_counter()
    try:
        yield
    finally:  # a measurement that fails has cost time as well
        for budget in budgets:
            budget.paid((time.perf_counter() - began) / len(budgets))


def within_budget(fraction: float) -> Budget:
    """As often as `fraction` of the run's time allows: 0.05 makes a run about 5% longer.

    What a measurement costs is learned as the run goes, from the probes' declared cost at first; `str()` of the
    schedule says what was measured and what was skipped. One object for several probes measures them at the same steps;
    a mapping with one each spends on each by itself.

    Raises:
        ValueError: if `fraction` does not lie in (0, 1].

    Example:
        >>> print(within_budget(0.05))
        within 0.05 of the run's time: measured 0 of 0 steps, skipped 0, overhead 0.000
    """
    return Budget(fraction)
