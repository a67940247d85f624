"""A recorder in one line, and as a dashboard; what cannot be read is told in words, as a repr must not raise."""

from torch import nn

from clinometer.probes.field import declared_in
from clinometer.readable.text import name_of, short
from clinometer.recorder.dashboard import dashboard, told
from clinometer.recorder.facts.stored import run_facts
from clinometer.recorder.live import LiveDashboard, notebook
from clinometer.recorder.scheduled_probes import ScheduledProbes
from clinometer.recorder.seen import Seen
from clinometer.recorder.sinks import Sinks
from clinometer.store import Store


class Shown:
    """What a recorder shows of itself.

    Args:
        model: The model in training.
        probes: Its probes with their schedules.
        store: Its rows.
        sinks: Where a dashboard that follows the run is put.
    """

    def __init__(self, model: nn.Module, probes: ScheduledProbes, store: Store, sinks: Sinks) -> None:
        self._model, self._probes, self._store, self._sinks = model, probes, store, sinks
        self._live: LiveDashboard | None = None

    def line(self) -> str:
        """The recorder in one line."""
        schedules = self._probes.schedules
        when = short(schedules[0]) if len(schedules) == 1 else f"{len(schedules)} schedules"
        probes = _counted(len(self._probes.by_name), "probe")
        to = "in memory" if self._store.path is None else f"to={short(str(self._store.path.parent))}"
        return f"Recorder({name_of(type(self._model))}, {probes}, {when}, {self._measured()}, {to})"

    def html(self) -> str:
        """The recorder as a dashboard of what is in its store."""
        try:
            return self._draw(self._seen())
        except Exception as error:  # a store that is damaged, locked, or of another thread
            return self.failed(error)

    def failed(self, error: Exception) -> str:
        """A dashboard that says why there is none."""
        return told(self.line(), f"Its rows cannot be read ({type(error).__name__}): {error}")

    def follow(self) -> str | None:
        """Show a dashboard that follows the run; where that cannot be done, why not."""
        shell = notebook()
        if shell is None:
            return "recorder.live() follows a run in a notebook, and this is none: print(recorder.summary()) instead."
        if self._live is not None:
            self._sinks.drop(self._live)
            self._live.end()
        try:
            self._live = LiveDashboard(shell, self._seen(), self._draw)
        except Exception as error:
            return f"recorder.live() cannot show this run ({type(error).__name__}): {error}"
        self._sinks.used.append(self._live)
        return None

    def _seen(self) -> Seen:
        facts = self._store.meta
        return Seen.of(self._store, declared_in(facts), run_facts(facts).layers)

    def _draw(self, seen: Seen) -> str:
        return dashboard(self.line(), seen)

    def _measured(self) -> str:
        try:
            return f"{_counted(self._store.step_count(), 'step')} measured"
        except Exception:
            return "its store cannot be read"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
