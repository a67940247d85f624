"""A dashboard in a notebook that follows a run while it trains."""

import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from clinometer.objective.rng import RngState
from clinometer.recorder.seen import Seen
from clinometer.store import Row

_WAIT = 1.0  # seconds from one update to the next, at least
_SHARE = 20.0  # and so many times what an update takes: it costs 5% of the time at most


class LiveDashboard:
    """A sink that shows each measured step in the output of a notebook's cell. It ends with its first failure.

    Args:
        notebook: IPython's shell.
        seen: What was measured so far.
        draw: Makes the dashboard's HTML of it.
    """

    def __init__(self, notebook: Any, seen: Seen, draw: Callable[[Seen], str]) -> None:
        self._seen, self._draw = seen, draw
        self._display = importlib.import_module("IPython.display")
        with RngState.put_back():  # here too, whatever a notebook does to show something
            self._shown: Any = self._display.display(self._html(), display_id=True)
        self._next = 0.0  # when it may be shown again
        self._stale = False
        self._events = notebook.events
        self._events.register("post_run_cell", self._at_end_of_cell)

    def __call__(self, step: int, rows: Mapping[str, Row]) -> None:
        """Take up the rows of a measured step, and show them if the last time is long enough ago."""
        self._seen.add(step, rows)
        self._stale = True
        if time.monotonic() >= self._next:
            self._update()

    def end(self) -> None:
        """Show what came after the last update, and no more: another one follows the run now."""
        self._at_end_of_cell()
        with contextlib.suppress(ValueError):
            self._events.unregister("post_run_cell", self._at_end_of_cell)

    def _update(self) -> None:
        began = time.monotonic()
        self._stale = False
        with RngState.put_back():
            self._shown.update(self._html())
        now = time.monotonic()
        self._next = now + max(_WAIT, _SHARE * (now - began))

    def _at_end_of_cell(self, *_: Any) -> None:
        """Show what came after the last update; a notebook prints what is raised here, and goes on."""
        if self._stale:
            self._update()

    def _html(self) -> Any:
        return self._display.HTML(self._draw(self._seen))


def notebook() -> Any:
    """IPython's shell if this program runs in a notebook, else None. Nothing is imported that is not there already.

    Example:
        >>> notebook() is None
        True
    """
    with contextlib.suppress(Exception):
        shell = sys.modules["IPython"].get_ipython()
        return shell if shell is not None and getattr(shell, "kernel", None) is not None else None
    return None
