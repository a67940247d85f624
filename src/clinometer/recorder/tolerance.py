"""Decides whether an error inside a measurement ends the run that is measured, or costs a row.

Once a measurement has worked the set-up is right, and a later error has a cause that the run need not die of: memory
was short, or a layer had no gradient at that step.
"""

import contextlib
import gc
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Generator

from clinometer.objective.distributed import UNTOLD, OtherRankError, Ranks
from clinometer.objective.failures import LossFailures
from clinometer.objective.interruptions import is_interruption, is_out_of_memory, is_transient
from clinometer.recorder.notices import Notices


class Tolerance:
    """What becomes of the errors of a recorder's measurements.

    Always raised are errors before a first measurement has worked, which are mistakes in the set-up, unless memory was
    short or a device failed after the loss had been evaluated; time-outs and what a signal handler raises, which are
    the user's own; every error with `strict`; and one that other ranks cannot be told of, who would wait for this one.

    Args:
        ranks: The processes that measure; all of them drop a row, or none.
        notices: Warns of the first error of each kind.
        strict: Tolerate nothing.

    Example:
        >>> import warnings
        >>> class Recording:
        ...     def drop(self): print("dropped")
        >>> recording = Recording()
        >>> tolerance = Tolerance(Ranks(), Notices(), strict=False)
        >>> tolerance.worked = True
        >>> tolerance.on_drop(recording.drop)
        >>> with warnings.catch_warnings(action="ignore"), tolerance.block():
        ...     {}["loss"]
        dropped
        >>> tolerance.lines()
        ['measurements that failed, with their rows: 1 KeyError']
    """

    def __init__(self, ranks: Ranks, notices: Notices, *, strict: bool) -> None:
        self.worked = False  # a measurement has been written
        self._ranks = ranks
        self._notices = notices
        self._drop: Callable[[], Callable[[], None] | None] = lambda: None
        self._strict = strict
        self._dropped: Counter[str] = Counter()  # by kind of error: how many rows it has cost

    def on_drop(self, drop: Callable[[], None]) -> None:
        """Call a method to give up the row that is being measured. Its object is not kept alive."""
        self._drop = weakref.WeakMethod(drop)

    @contextlib.contextmanager
    def block(self, evaluations: LossFailures | None = None) -> Generator[None]:
        """Part of a measurement: an error in it costs the row, or is raised, on all ranks alike.

        Args:
            evaluations: Those of the loss at this step, if there may be any in the block.
        """
        try:
            with self._ranks.all_or_none():
                yield
        except Exception as error:
            self.drop_or_raise(error, evaluated=evaluations is not None and evaluations.evaluated)

    def drop_or_raise(self, error: Exception, *, evaluated: bool = False) -> None:
        """Give the row up, and warn once for each kind of error; or raise it."""
        if not self._tolerates(error, evaluated):
            raise error
        if drop := self._drop():
            drop()
        kind, cause = type(error).__name__, f"{type(error).__name__}: {error}"
        traceback.clear_frames(error.__traceback__)  # they hold the tensors of the measurement
        if _is_out_of_memory(error):
            gc.collect()
        self._dropped[kind] += 1
        self._notices.once(
            f"dropped {kind}",
            f"a measurement failed, and its row is dropped ({cause}). Training goes on; summary() counts further ones, "
            "and Recorder(strict=True) raises them.",
        )

    def lines(self) -> list[str]:
        """A line of the summary that says how many measurements failed; none if none did."""
        counts = [f"{number} {kind}" for kind, number in self._dropped.items()]
        return [f"measurements that failed, with their rows: {', '.join(counts)}"] if counts else []

    def _tolerates(self, error: Exception, evaluated: bool) -> bool:
        all_know = not self._ranks.groups or self._ranks.reports_failures or isinstance(error, OtherRankError)
        all_know = all_know and UNTOLD not in getattr(error, "__notes__", ())
        if self._strict or is_interruption(error) or not all_know:
            return False
        return self.worked or (evaluated and (is_transient(error) or _is_out_of_memory(error)))


def _is_out_of_memory(error: Exception) -> bool:
    return error.out_of_memory if isinstance(error, OtherRankError) else is_out_of_memory(error)
