"""Alarms over the rows of finished runs: what an alert would have said, without any training."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from clinometer.results.finished_run import FinishedRun
from clinometer.store import Row

Steps = Mapping[int, Mapping[str, Row]]  # step, rising, to probe to its row


class Alarmed(Protocol):
    """What a score reads of an alarm."""

    @property
    def step(self) -> int:
        """When it was given."""
        ...

    @property
    def ranking(self) -> tuple[str, ...]:
        """Blocks, the most suspicious first."""
        ...


class Replayable(Protocol):
    """What is asked of an alert: the same that a recorder asks of it in a living run."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """What it reads, as `probe/field`."""
        ...

    def see(self, step: int, rows: Mapping[str, Row]) -> Alarmed | None:
        """Its alarm at a step, if there is one."""
        ...

    def reset(self) -> None:
        """Forget the run that it saw."""
        ...


def replay(alert: Replayable, steps: Steps) -> list[Alarmed]:
    """The alarms that an alert gives over a run's rows; it forgets what it saw before, and sees each step once.

    Args:
        alert: The alert, which is left as it was after the last step.
        steps: The run's rows, as `steps_of` returns them.
    """
    alert.reset()
    alarms = (alert.see(step, rows) for step, rows in sorted(steps.items()))
    return [alarm for alarm in alarms if alarm is not None]


def steps_of(run: FinishedRun, probes: Iterable[str], end: int | None = None) -> dict[int, dict[str, Row]]:
    """The rows of some probes by step, as a recorder hands them to an alert; probes without rows are left out.

    Args:
        run: A finished run.
        probes: The names of the probes' rows.
        end: The first step that is left out; None for all of them.
    """
    found: dict[int, dict[str, Row]] = {}
    for probe in probes:
        for step, row in run.rows(probe).get(probe, {}).items():
            if end is None or step < end:
                found.setdefault(step, {})[probe] = row
    return dict(sorted(found.items()))
