"""Where rows go: the run's store, and the sinks that a user added."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clinometer.probes.base import Probe
from clinometer.probes.field import Declared, declared_by, declared_in, to_json
from clinometer.probes.labels import Rows
from clinometer.recorder.notices import warn
from clinometer.recorder.trackers import Sink
from clinometer.store import Row, Store


def store_for(to: str | Path | None, start: int, probes: Mapping[str, Probe]) -> Store:
    """The store of a run that begins at step `start`, without rows from there on; in memory without a folder.

    Its facts hold what the probes declare of their fields, so that the rows can be read and drawn without the probes.

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
    if declared := declared_by(probes):
        store.set_meta(fields=to_json(declared_in(store.meta) | declared))
    return store


class Sinks:
    """The sinks in use: one that raises gets no more rows.

    Args:
        sinks: Functions of a step's index and its rows.
        probes: Whose declarations of their fields go along with the rows.
    """

    def __init__(self, sinks: Sequence[Sink], probes: Mapping[str, Probe]) -> None:
        self._used = list(sinks)
        self._declared: Declared = declared_by(probes)

    def tell(self, index: int, rows: Mapping[str, Row]) -> None:
        """Hand a step's rows to all of them."""
        for sink in list(self._used):
            try:
                sink(index, Rows(rows, self._declared))
            except Exception as error:  # a tracker that is down must not end the training that it tracks
                self._used.remove(sink)
                warn(f"a sink failed and gets no more rows ({type(error).__name__}: {error}); they are in the store.")
