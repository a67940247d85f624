"""Measures a step that was taken: the rows of its probes, into the store and to the sinks."""

import itertools
from collections.abc import Sequence

from clinometer.objective.distributed import Ranks
from clinometer.objective.rng import RngState
from clinometer.probes.base import Step
from clinometer.recorder.pending_step import PendingStep
from clinometer.recorder.scheduled_probes import ScheduledProbes
from clinometer.recorder.sinks import Sink, Sinks
from clinometer.recorder.tolerance import Tolerance
from clinometer.store import Row, Store


class Measurement:
    """The part of a recorder that runs probes. A probe that fails costs its own row; the step's others are kept.

    Args:
        probes: Those that may be due.
        ranks: The processes that measure together; the first one writes.
        store, sinks: Where the rows go.
        tolerance: Decides what becomes of errors.
    """

    def __init__(
        self,
        probes: ScheduledProbes,
        ranks: Ranks,
        store: Store,
        sinks: Sequence[Sink],
        tolerance: Tolerance,
    ) -> None:
        self._probes = probes
        self._ranks = ranks
        self._store = store
        self._sinks = Sinks(sinks, probes.by_name)
        self._tolerance = tolerance

    def due(self, index: int) -> list[str]:
        """The probes that are due at a step: none where a schedule fails."""
        try:
            return self._probes.due(index)
        except Exception as error:
            self._tolerance.drop_or_raise(error)
            return []

    def run(self, pending: PendingStep, most_batches: int) -> Step | None:
        """Write the rows of a step that was taken; None if there is nothing to say of it, as it could not be measured.

        Args:
            pending: The step.
            most_batches: How many batches a step of this run has at most.
        """
        found: list[Step] = []  # none where an error in the block is tolerated
        rows: dict[str, Row] = {}
        with self._probes.timed(pending.probes), RngState.now().replayed():  # a probe may draw: a random direction, say
            with self._tolerance.block():
                found.append(pending.step(most_batches))
            for step, name in itertools.product(found, pending.probes):
                with self._tolerance.block(pending.objective.failures):
                    rows[name] = self._probes.row(name, step)
            with self._tolerance.block():
                self._write(pending.index, rows)
        return next(iter(found), None)

    def _write(self, index: int, rows: dict[str, Row]) -> None:
        if rows and self._ranks.is_first:
            self._store.append(index, rows)
            self._sinks.send(index, rows)
        self._tolerance.worked |= bool(rows)
