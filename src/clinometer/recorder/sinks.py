"""Where rows go: the run's store, and the sinks that a user added."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clinometer.recorder.pending_step import warn
from clinometer.recorder.trackers import Sink
from clinometer.store import Row, Store


def store_for(to: str | Path | None, start: int) -> Store:
    """The store of a run that begins at step `start`, without rows from there on; in memory without a folder.

    Raises:
        ValueError: if a new run would write into the rows of another.
    """
    store = Store(None if to is None else Path(to) / "rows.sqlite")
    last = store.last_step()
    if start == 0 and last is not None:
        raise ValueError(
            f"{store.path} holds the rows of another run, up to step {last}. "
            "Choose another folder, delete that one, or pass start= to go on with it."
        )
    store.drop_from(start)
    return store


class Sinks:
    """The sinks that are still heard: one that raises gets no more rows.

    Args:
        sinks: Functions of a step's index and its rows.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._heard = list(sinks)

    def tell(self, index: int, rows: Mapping[str, Row]) -> None:
        """Hand a step's rows to all of them."""
        for sink in list(self._heard):
            try:
                sink(index, rows)
            except Exception as error:  # a tracker that is down must not end the training that it tracks
                self._heard.remove(sink)
                warn(f"a sink failed and gets no more rows ({type(error).__name__}: {error}); they are in the store.")
