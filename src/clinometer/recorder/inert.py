"""What a copy of a model has where the model has its recorder.

Models are copied: for averaged weights, into other processes, into files. A recorder belongs to one training run, one
optimizer and one open file, and a copy that measured as well would write the same rows twice. So a copy measures
nothing: training the copied model goes on as without a recorder.
"""

import contextlib
from typing import Any, NoReturn

from clinometer.recorder.notices import Notices

_COPY = (
    "this recorder is a copy, made when the object that holds it was copied or pickled. It measures nothing and has no "
    "rows: make a Recorder for the copied model, or read the rows from the original."
)


class InertRecorder:
    """A copied or unpickled `Recorder`: it measures nothing, and says so once if a step is begun with it.

    Example:
        >>> import warnings
        >>> recorder = InertRecorder()
        >>> with warnings.catch_warnings(action="ignore"), recorder.step(None):
        ...     pass
        >>> recorder.summary()
        'clinometer: a copied recorder measures nothing'
    """

    def __init__(self) -> None:
        self._notices = Notices()

    def step(self, _batch: Any, **_options: Any) -> contextlib.AbstractContextManager[None]:
        """Nothing."""
        self._notices.once("copy", _COPY)
        return contextlib.nullcontext()

    def skip(self) -> None:
        """Nothing."""

    def drop(self) -> None:
        """Nothing."""

    def live(self) -> None:
        """Nothing."""

    def __repr__(self) -> str:
        return "Recorder(a copy, which measures nothing)"

    def plot(self, **_options: Any) -> NoReturn:
        """ValueError: it has no rows."""
        raise ValueError(f"there is nothing to draw: {_COPY}")

    def read(self, probe: str) -> NoReturn:
        """ValueError: it has no rows."""
        raise ValueError(f"there are no rows of {probe!r}: {_COPY}")

    @property
    def alarms(self) -> NoReturn:
        """ValueError: nothing was watched."""
        raise ValueError(f"there are no alarms: {_COPY}")

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, _state: Any) -> None:
        """Nothing."""

    def summary(self) -> str:
        """That it is a copy."""
        return "clinometer: a copied recorder measures nothing"
